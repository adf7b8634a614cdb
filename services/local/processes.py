"""Processes: start one that ends with us, know whether a former one is still there, end it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec there must be no import.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def ending_with_us(number: signal.Signals) -> Callable[[], None]:
    """Return what a child runs before its program: it gets this signal when we die, even by -9.

    Linux alone has this; elsewhere the next start finds and ends what was left.
    """
    parent = os.getpid()

    def arrange() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def is_alive(pid: int) -> bool:
    """Say whether there is such a process; one that has ended and waits for its parent is none."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state != "Z"


def command_of(pid: int) -> str:
    """Return the command line of a process, its parts joined by blanks; empty if unknown."""
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        shown = subprocess.run(
            ["ps", "-ww", "-p", str(pid), "-o", "command="],  # noqa: S607 - where it is differs
            check=False,
            capture_output=True,
            text=True,
        )
        return shown.stdout


def working_in(folder: Path) -> list[int]:
    """Return the living processes whose working directory this is; none where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            at = (entry / "cwd").readlink()
        except OSError:
            continue
        if at == folder and is_alive(int(entry.name)):
            found.append(int(entry.name))
    return found


def stop_process(pid: int, number: signal.Signals, *, within: float) -> None:
    """Ask a process that is not our child to end, insist after `within` seconds."""
    for sent in (number, signal.SIGKILL):
        try:
            os.kill(pid, sent)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if not is_alive(pid):
                return
            time.sleep(0.02)
