"""The compose file brought up as an operator would: images, keys, services, health."""

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.containers.engine import CACHE, CommandRefused, Engine, an_engine

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "docker-compose.yml", ROOT / "deploy" / "compose.test.yml"]
PROJECT = "permesso-proof"
BASE = "localhost/permesso-proof-base"
IMAGE = "localhost/permesso-proof"
POSTGRES = "localhost/permesso-proof-postgres"
SERVICES = ("postgres", "consent", "dispatcher", "gateway", "sandbox")
READY_WITHIN = 240.0
# How a container sees the others, and how long it takes to find them.
RESOLVE = f"""
import socket, time
for name in {SERVICES}:
    began = time.monotonic()
    try: found = socket.gethostbyname(name)
    except OSError as error: found = error
    print(" ", name, found, round(time.monotonic() - began, 3))
"""


@dataclass(frozen=True)
class Stack:
    """What runs, and how it is reached from outside."""

    engine: Engine
    settings: Path
    gateway_url: str
    sandbox_url: str
    operator_key: str

    def up(self) -> None:
        """Start all of it and wait until each is healthy by its own check, migrations done."""
        self._compose("up", "--detach", "--no-build")
        deadline = time.monotonic() + READY_WITHIN
        while not (self._migrated() and all(self.is_healthy(name) for name in SERVICES)):
            if time.monotonic() > deadline:
                self.write_logs()
                raise TimeoutError(f"not ready: {self.states()}; see build/containers")
            time.sleep(0.5)

    def down(self) -> None:
        """Stop and remove the containers and the networks; the data stays."""
        self._compose("down")

    def states(self) -> dict[str, str]:
        """Return the state of each container, by service."""
        listed = self.engine.podman("ps", "--all", "--format", "{{.Names}}={{.Status}}")
        pairs = (line.split("=", 1) for line in listed.splitlines())
        return {name.removeprefix(f"{PROJECT}_").removesuffix("_1"): state for name, state in pairs}

    def is_healthy(self, service: str) -> bool:
        """Run the health check that the compose file gives a service."""
        try:
            self.engine.podman("healthcheck", "run", _container(service))
        except CommandRefused:
            return False
        return True

    def inside(self, service: str, script: str) -> str:
        """Run some Python in a service's container, and return what it printed."""
        name = _container(service)
        return self.engine.podman("exec", name, "python3", "-c", script, check=False).strip()

    def inspect(self, service: str, template: str) -> str:
        """Return a fact about a service's container."""
        return self.engine.podman("inspect", "--format", template, _container(service)).strip()

    def _migrated(self) -> bool:
        return self.inspect("migrate", "{{.State.Status}} {{.State.ExitCode}}") == "exited 0"

    def write_logs(self) -> None:
        """Leave what the containers wrote in build/containers, for whoever looks into a failure."""
        folder = ROOT / "build" / "containers"
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("migrate", *SERVICES):
            (folder / f"{name}.log").write_text(self.engine.logs(_container(name)))
        names = (f"{name}:\n{self.inside(name, RESOLVE)}\n" for name in SERVICES)
        (folder / "names.log").write_text("".join(names))

    def _compose(self, *arguments: str) -> None:
        self.engine.compose(PROJECT, self.settings, FILES, *arguments)


@contextmanager
def a_stack() -> Iterator[Stack]:
    """Build, bring up, and take away again."""
    fetched = _fetched()
    with an_engine(fetched["tools"]) as engine, tempfile.TemporaryDirectory() as folder:
        _build(engine, fetched, Path(folder))
        gateway, sandbox = _free_ports(2)
        settings = Path(folder) / ".env"
        lines = _settings(engine, gateway, sandbox)
        settings.touch(mode=0o600)
        settings.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        stack = Stack(
            engine,
            settings,
            f"http://127.0.0.1:{gateway}",
            f"http://127.0.0.1:{sandbox}",
            lines["GATEWAY_OPERATOR_KEY"],
        )
        stack.up()
        yield stack
        stack.down()


def _fetched() -> dict[str, Path]:
    """Return where tests/containers/install.sh has put what it fetched."""
    lines = (CACHE / "fetched").read_text().splitlines()
    return {name: Path(path) for name, path in (line.split("=", 1) for line in lines)}


def _build(engine: Engine, fetched: dict[str, Path], folder: Path) -> None:
    """Build both images from copies of the repository's files, with the packages put beside."""
    engine.import_base(fetched["base"], BASE)
    ours = folder / "permesso"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("shared", "channels", "services", "sandbox"):
        shutil.copytree(ROOT / name, ours / name, ignore=ignored)
    for name in ("Dockerfile", ".dockerignore", "LICENSE", "requirements-runtime.lock"):
        shutil.copy(ROOT / name, ours)
    shutil.copytree(ROOT / "deploy" / "wheels", ours / "deploy" / "wheels")
    shutil.copytree(fetched["wheels"], ours / "deploy" / "wheels", dirs_exist_ok=True)
    engine.build(ours, IMAGE, base=BASE)
    postgres = folder / "postgres"
    shutil.copytree(ROOT / "deploy" / "postgres-from-wheel", postgres)
    shutil.copytree(fetched["postgres"], postgres / "programs")
    engine.build(postgres, POSTGRES, base=BASE)


def _settings(engine: Engine, gateway: int, sandbox: int) -> dict[str, str]:
    """Return the lines of `.env`: the image's fresh keys, the demo's, and what is other here."""
    limits = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:4000")
    keys = engine.podman(
        *("run", "--rm", "--network", "none", *limits, IMAGE, "keys"),
        *("--database", "postgres:5432/permesso"),
    )
    demo = (ROOT / "deploy" / "demo.env").read_text()
    lines = (line for line in (keys + demo).splitlines() if line and not line.startswith("#"))
    return {
        **dict(line.split("=", 1) for line in lines),
        "PERMESSO_IMAGE": IMAGE,
        "POSTGRES_IMAGE": POSTGRES,
        "GATEWAY_PUBLISH": f"127.0.0.1:{gateway}",
        "SANDBOX_PUBLISH": f"127.0.0.1:{sandbox}",
    }


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _container(service: str) -> str:
    return f"{PROJECT}_{service}_1"


def client(url: str) -> httpx.Client:
    """Return a client for one of the two published ports."""
    return httpx.Client(base_url=url, timeout=30)
