"""A PostgreSQL of our own: made once, started and stopped, found again with the same data.

It listens on a Unix socket alone, with a password: a free TCP port could be taken by the next
start, and a socket is faster. The socket's folder is for its user only.
"""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import structlog

from services.local.processes import command_of, is_alive, stop_process, working_in
from services.local.runner import NoPostgres, Runner, find_programs, find_runner

log = structlog.get_logger()

OWNER = "permesso"
"""The role that owns everything; migrations run as it."""
_LONGEST_SOCKET = 107
"""Bytes of a socket's path on Linux; macOS has four less."""
_SOCKET_NAME = "/.s.PGSQL.5432"

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Statements and the values in them are personal data, and the log is not the place for it.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
_FORGETFUL: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
}

_REASONS: tuple[tuple[str, str], ...] = (
    ("No space left on device", "The disk is full. Make room and start again."),
    ("could not resize shared memory", "There is too little shared memory (/dev/shm)."),
    ("Permission denied", "The data folder is not readable for the user PostgreSQL runs as."),
    ("has wrong ownership", "The data folder belongs to another user than PostgreSQL runs as."),
    ("database files are incompatible", "The data was made by another PostgreSQL."),
    ("lock file", "Another PostgreSQL runs on this data."),
    ("pre-existing shared memory", "A former PostgreSQL is still ending. Try again in a moment."),
)


@dataclass
class Cluster:
    """One PostgreSQL in one folder. `durable=False` is for data that nobody will miss."""

    home: Path
    """Where the data, the socket and the log are."""
    password: str
    """The owner's."""
    durable: bool = True
    runner: Runner = field(default_factory=find_runner)
    settings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the programs; raise `NoPostgres` where there are none."""
        self.home = self.home.resolve()
        self.programs = find_programs(self.runner)
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The folder of the socket: in `home`, or in /tmp where that path is too long for one."""
        inside = self.home / "socket"
        if len(os.fsencode(inside)) + len(_SOCKET_NAME) <= _LONGEST_SOCKET - 4:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path(f"/tmp/permesso-{digest}")  # noqa: S108 - owner and mode are checked

    def url(self, database: str = OWNER, *, role: str = OWNER, password: str | None = None) -> str:
        """Return the address of a database here."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{role}:{secret}@/{database}?host={quote(str(self.socket))}"

    def prepare(self) -> None:
        """Make what is missing; afterwards `command` can be run."""
        with _explained(self.home):
            self.home.mkdir(parents=True, exist_ok=True)
            self.runner.own(self.home, 0o700)
            self._prepare_socket()
        if not self.data.exists():
            self._initialise()
        self._check_version()
        self._end_former()

    def command(self) -> list[str]:
        """Return the server in the foreground; SIGINT stops it fast and clean."""
        settings = {**_SETTINGS, **({} if self.durable else _FORGETFUL), **self.settings}
        settings["unix_socket_directories"] = str(self.socket)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), *options]

    def is_ready(self, pid: int) -> bool:
        """Say whether the server with this process id takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except (OSError, UnicodeDecodeError):
            return False
        return len(lines) > 7 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def why_not(self) -> str:
        """Say for people why the server did not start, from the end of its log."""
        try:
            tail = self.log.read_bytes()[-4096:].decode(errors="replace")
        except OSError:
            tail = ""
        for sign, meaning in _REASONS:
            if sign in tail:
                return f"{meaning} (PostgreSQL's log: {self.log})"
        return f"PostgreSQL did not start; its log tells why: {self.log}"

    def start(self, *, within: float = 30.0) -> None:
        """Prepare, run and wait until it takes connections, or raise `NoPostgres`."""
        self.prepare()
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=environment(),
                start_new_session=True,
                **self.runner.process_options(),  # type: ignore[call-overload]
            )
        deadline = time.monotonic() + within
        while not self.is_ready(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise NoPostgres(self.why_not())
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop what `start` started, dropping its connections."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(10)

    def remove(self) -> None:
        """Stop, and delete everything."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.rmtree(self.socket, ignore_errors=True)

    def _prepare_socket(self) -> None:
        folder = self.socket
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = folder.lstat().st_uid
        # In /tmp somebody else may have been there first, with a folder or a link of their own.
        if folder.is_symlink() or owner not in (os.geteuid(), self.runner.uid):
            raise NoPostgres(f"{folder} belongs to somebody else. Remove it and start again.")
        self.runner.own(folder, 0o700)

    def _initialise(self) -> None:
        """Make the data in a folder beside, so that nothing half is left by a start cut off."""
        beside = self.home / "data.new"
        shutil.rmtree(beside, ignore_errors=True)
        with tempfile.NamedTemporaryFile("w", dir=self.home, prefix=".pw-") as secret:
            secret.write(self.password)
            secret.flush()
            self.runner.own(Path(secret.name), 0o600)
            made = subprocess.run(
                [
                    str(self.programs / "initdb"),
                    f"--pgdata={beside}",
                    f"--username={OWNER}",
                    f"--pwfile={secret.name}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--locale=C",
                    *(() if self.durable else ("--no-sync",)),
                ],
                check=False,
                capture_output=True,
                cwd="/",
                env=environment(),
                **self.runner.process_options(),  # type: ignore[call-overload]
            )
        if made.returncode != 0:
            self.log.write_bytes(made.stdout + made.stderr)
            shutil.rmtree(beside, ignore_errors=True)
            raise NoPostgres(self.why_not())
        beside.rename(self.data)

    def _check_version(self) -> None:
        with _explained(self.data):
            made_by = (self.data / "PG_VERSION").read_text().strip()
        shown = subprocess.run(
            [str(self.programs / "postgres"), "--version"],
            check=True,
            capture_output=True,
            text=True,
            env=environment(),
        )
        ours = shown.stdout.split()[-1].split(".")[0]
        if made_by != ours:
            raise NoPostgres(
                f"The data in {self.data} was made by PostgreSQL {made_by}, and this is "
                f"PostgreSQL {ours}. Dump it with the old one (pg_dumpall) and load it here, "
                "or choose another --data-dir."
            )

    def _end_former(self) -> None:
        """End a server that outlived its supervisor, and take away the lock of a dead one.

        PostgreSQL itself would not start while any process has the id in the lock, be it a stranger
        or the dead server that nobody has buried. The lock may go only when none of the server's
        children is left: a busy one can outlive it for a while and still write.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if is_alive(pid) and str(self.data) in command_of(pid):
            log.warning("postgres.orphan_stopped", pid=pid)
            stop_process(pid, signal.SIGINT, within=10)
        for child in working_in(self.data):
            stop_process(child, signal.SIGQUIT, within=10)
        # The socket's lock holds the same id.
        for left in (lock, self.socket / (_SOCKET_NAME[1:] + ".lock")):
            if left.exists():
                log.warning("postgres.stale_lock_removed", pid=pid)
                left.unlink(missing_ok=True)


def environment() -> dict[str, str]:
    """Return what PostgreSQL's programs need of our environment: nothing of its secrets."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an error of the file system into a sentence that says where and what."""
    try:
        yield
    except OSError as error:
        raise NoPostgres(f"{path} cannot be used: {error.strerror}.") from error
