"""Where everything is on one machine: folders, ports, and what each program is told."""

import json
import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import services
from services.local.keys import SERVICES, Keys
from services.local.runner import Runner, system_folder

HOST = "127.0.0.1"
OFFSETS = {"gateway": 0, "consent": 1, "dispatcher": 2, "sandbox": 10}
"""Ports, counted from the gateway's."""
_LARGEST_LOG = 10 * 1024 * 1024
_OLD_LOGS = 3


class PortTaken(Exception):
    """Somebody else listens where we want to."""

    def __init__(self, name: str, port: int) -> None:
        """Say where, and what to do."""
        super().__init__(
            f"Port {port} (for the {name}) is taken. Choose another with --port: it needs "
            f"PORT, PORT+1, PORT+2 and PORT+10, for example `permesso up --port {port + 1000}`."
        )


@dataclass(frozen=True)
class Layout:
    """One installation: its folder, its ports, its secrets."""

    folder: Path
    port: int
    metrics_ports: Mapping[str, int]
    keys: Keys

    def address(self, name: str) -> tuple[str, int]:
        """Return the host and the port of a program."""
        return HOST, self.port + OFFSETS[name]

    def url(self, name: str) -> str:
        """Return the base URL of a program."""
        host, port = self.address(name)
        return f"http://{host}:{port}"

    def log(self, name: str) -> Path:
        """Return the log file of a program."""
        return self.folder / "logs" / f"{name}.log"

    def command(self, name: str) -> list[str]:
        """Return how a service or the sandbox is started."""
        if name == "sandbox":
            host, port = self.address(name)
            return [sys.executable, "-m", "sandbox", "--host", host, "--port", str(port)]
        return [sys.executable, "-m", "services", name]

    def environment(self, name: str, database: Mapping[str, str]) -> dict[str, str]:
        """Return what a program is told; `database` is its address by role.

        What the operator has set stays, unless it is ours to know.
        """
        ours = _python_environment()
        if name not in SERVICES:
            return ours
        host, port = self.address(name)
        sandbox_host, sandbox_port = self.address("sandbox")
        told = {
            "DATABASE_URL": database[f"permesso_{name}"],
            "HOST": host,
            "PORT": str(port),
            "METRICS_PORT": str(self.metrics_ports[name]),
            "SERVICE_KEY": self.keys.service_keys[name],
            "SERVICE_PUBLIC_KEYS": json.dumps(self.keys.public_keys(name)),
            "SEALING_KEYS": json.dumps(self.keys.sealing_keys[name]),
            "ALLOWED_ADDRESSES": f"{sandbox_host}:{sandbox_port},localhost:{sandbox_port}",
        }
        if name != "consent":
            told["CONSENT_URL"] = self.url("consent")
        if name == "consent":
            told["LEDGER_KEY"] = self.keys.ledger_key
            told["SUPPRESSION_KEY"] = self.keys.suppression_key
        if name == "gateway":
            told["INBOX_DATABASE_URL"] = database["permesso_inbox"]
            told["DISPATCHER_URL"] = self.url("dispatcher")
            told["PUBLIC_URL"] = self.url("gateway")
            told["OPERATOR_KEY"] = self.keys.operator_key
            told["KEY_PEPPER"] = self.keys.key_pepper
            told["LINK_KEY"] = self.keys.link_key
        return ours | {f"{name.upper()}_{key}": value for key, value in told.items()}


def _python_environment() -> dict[str, str]:
    """Let a child import what we have imported, wherever it is started."""
    root = str(Path(services.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def check_ports(port: int) -> None:
    """Raise `PortTaken` for the first port that we cannot have."""
    for name, offset in OFFSETS.items():
        if port + offset > 65_535:
            raise PortTaken(name, port + offset)
        try:
            with socket.create_server((HOST, port + offset)):
                pass
        except OSError as error:
            raise PortTaken(name, port + offset) from error


def free_ports(count: int) -> list[int]:
    """Return ports that are free now, chosen by the system."""
    held = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def postgres_home(folder: Path, keys: Keys, runner: Runner) -> Path:
    """Return where PostgreSQL keeps its data: in the folder, or where its user can enter.

    Beside the folder it is named by the installation, so that it is found again after a move.
    """
    inside = folder / "postgres"
    if runner.is_us or runner.can_enter(folder):
        return inside
    home = system_folder() / keys.instance
    home.mkdir(mode=0o755, exist_ok=True)
    return home / "postgres"


def rotate(log: Path) -> None:
    """Begin a new log when the old one has grown large; keep a few old ones."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if not log.exists() or log.stat().st_size < _LARGEST_LOG:
        return
    for number in range(_OLD_LOGS, 0, -1):
        older = log.with_suffix(f".log.{number}")
        newer = log.with_suffix(f".log.{number - 1}") if number > 1 else log
        if newer.exists():
            newer.replace(older)
