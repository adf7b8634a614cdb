"""A container engine of the proof's own: its images, networks and volumes touch nobody else's."""

import fcntl
import os
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CACHE = Path(os.environ.get("PERMESSO_IMAGE_TEST_CACHE", "/var/cache/permesso-image-test"))
RUN = Path("/run/permesso-image-test")


class CommandRefused(Exception):
    """A command ended with an error; the text has its last lines."""


@dataclass(frozen=True)
class Engine:
    """podman, buildah and podman-compose, told where everything of theirs lies."""

    tools: Path
    environment: Mapping[str, str] = field(repr=False)

    def podman(self, *arguments: str, check: bool = True) -> str:
        """Run podman and return what it printed."""
        return self._run("podman", *arguments, check=check)

    def logs(self, container: str) -> str:
        """Return all that a container has written, on either stream."""
        return self._run("sh", "-c", 'exec podman logs "$0" 2>&1', container, check=False)

    def import_base(self, tar: Path, image: str) -> None:
        """Make an image of a root file system."""
        self.podman("import", "--quiet", str(tar), image)

    def build(self, context: Path, image: str, *, base: str) -> None:
        """Build an image; there is no network in it, so whatever it needs it was given."""
        command = ["unshare", "--net", "buildah", "bud", "--isolation", "chroot", "--quiet"]
        self._run(*command, "--build-arg", f"BASE={base}", "--tag", image, str(context))

    def compose(self, project: str, settings: Path, files: list[Path], *arguments: str) -> str:
        """Run podman-compose on these files, with the demo's services too."""
        command = [str(self.tools / "bin/python"), "-m", "podman_compose"]
        command += ["--project-name", project, "--env-file", str(settings), "--profile", "demo"]
        command += [part for file in files for part in ("--file", str(file))]
        return self._run(*command, *arguments)

    def clear(self) -> None:
        """Remove every container, volume, network and image of this engine."""
        self.podman("rm", "--all", "--force", "--time", "5", "--volumes")
        self.podman("volume", "prune", "--force")
        self.podman("network", "prune", "--force")
        self.podman("image", "rm", "--all", "--force")

    def _run(self, *command: str, check: bool = True) -> str:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self.environment, timeout=600
        )
        if check and done.returncode != 0:
            last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-25:])
            raise CommandRefused(f"{' '.join(command[:6])} …: code {done.returncode}\n{last}")
        return done.stdout


@contextmanager
def an_engine(tools: Path) -> Iterator[Engine]:
    """Have the engine for oneself, empty before and after."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        engine = Engine(tools, {**os.environ, **_configured()})
        # What a run that was killed has left.
        engine.clear()
        try:
            yield engine
        finally:
            engine.clear()


def _configured() -> dict[str, str]:
    """Write the engine's configuration and return the variables that name it.

    runc, because crun refuses a machine with both kinds of control groups; no systemd, no journal.
    """
    folder = CACHE / "conf"
    folder.mkdir(exist_ok=True)
    storage = folder / "storage.conf"
    storage.write_text(
        textwrap.dedent(f"""\
            [storage]
            driver = "overlay"
            graphroot = "{CACHE}/storage"
            runroot = "{RUN}"
            """)
    )
    containers = folder / "containers.conf"
    containers.write_text(
        textwrap.dedent(f"""\
            [engine]
            runtime = "runc"
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            tmp_dir = "{RUN}/libpod"
            [network]
            network_backend = "netavark"
            network_config_dir = "{CACHE}/networks"
            """)
    )
    return {"CONTAINERS_STORAGE_CONF": str(storage), "CONTAINERS_CONF": str(containers)}
