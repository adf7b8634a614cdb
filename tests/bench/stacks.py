"""Which functions a process spends its time in: samples of its stacks, and what they add up to."""

import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figures import NotReal
from tests.bench.house import ROOT

RATE = 400
"""Samples per second."""
OURS = ("services", "channels", "shared")
_AROUND = ("services/__main__.py", "shared/server.py")
"""What stands around everything: its own time is the event loop's."""
Stacks = Mapping[tuple[str, ...], int]
"""`name (file:line)` from the outermost frame on → how often it was met."""


def way_to_start(file: Path) -> Sequence[str]:
    """Return what a service that will be profiled is started with; nothing where py-spy is."""
    return () if _spy() else ("-m", "tests.bench.sampled", str(file))


@contextmanager
def recorded(pid: int, file: Path) -> Iterator[None]:
    """Sample a process's stacks into `file` for as long as the block takes."""
    file.unlink(missing_ok=True)
    if spy := _spy():
        with _by_spy(spy, pid, file):
            yield
    else:
        os.kill(pid, signal.SIGUSR1)
        yield
        os.kill(pid, signal.SIGUSR2)
        _wait_for(file)


def read(file: Path) -> Stacks:
    """Read what was recorded."""
    met: Counter[tuple[str, ...]] = Counter()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        met[tuple(stack.split(";"))] += int(count)
    return met


def by_own_function(stacks: Stacks) -> Counter[str]:
    """Count samples by the innermost function of ours: with all that it called of others."""
    return _counted(stacks, lambda stack: next((f for f in reversed(stack) if _is_ours(f)), ""))


def by_package(stacks: Stacks) -> Counter[str]:
    """Count samples by the package that was running itself."""
    return _counted(stacks, lambda stack: _package(stack[-1]))


def _counted(stacks: Stacks, name: Callable[[tuple[str, ...]], str]) -> Counter[str]:
    met: Counter[str] = Counter()
    for stack, count in stacks.items():
        met[_short(name(stack)) or "the event loop, and drivers in C"] += count
    return met


def _package(frame: str) -> str:
    path = _path(frame)
    if _is_ours(frame):
        return f"ours: {path.relative_to(ROOT).parts[0]}"
    parts = path.parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    return f"python: {'asyncio' if 'asyncio' in parts else path.stem}"


def _is_ours(frame: str) -> bool:
    path = _path(frame)
    return path.is_relative_to(ROOT) and _is_house(path.relative_to(ROOT))


def _is_house(path: Path) -> bool:
    return path.parts[0] in OURS and path.as_posix() not in _AROUND


def _path(frame: str) -> Path:
    return Path(frame.rpartition(" (")[2].rpartition(":")[0] or "/?")


def _short(frame: str) -> str:
    return frame.replace(f"{ROOT}/", "")


def _spy() -> str | None:
    return shutil.which("py-spy")


@contextmanager
def _by_spy(spy: str, pid: int, file: Path) -> Iterator[None]:
    command = [spy, "record", "--pid", str(pid), "--rate", str(RATE), "--format", "raw"]
    # A thread that waits in the kernel looks busy to it in some containers; one that holds the
    # interpreter's lock is.
    command += ["--gil", "--function", "--full-filenames", "--output", str(file)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(1)  # It says nowhere that it has begun.
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    if not file.exists():
        raise NotReal(f"py-spy recorded nothing: {said.decode(errors='replace')[-300:]}")


def _wait_for(file: Path) -> None:
    until = time.monotonic() + 10
    while not file.exists():
        if time.monotonic() > until:
            raise NotReal(f"{file} was not written")
        time.sleep(0.05)
