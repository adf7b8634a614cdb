"""What processes have used, as /proc tells it; 0 where there is none."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path


def cpu_seconds(pid: int) -> float:
    """Return the user and system time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_of_children(pid: int) -> float:
    """Return the processor time of a process and of its living and buried children."""
    total = 0.0
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(each) for each in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            total += cpu_seconds(int(child))
    except OSError:
        return total
    return total


def resident_mb(pid: int) -> float:
    """Return how much memory a process holds, in MB."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


@dataclass
class Memory:
    """What some processes held, look after look."""

    pids: Mapping[str, int]
    began_at: float = field(default_factory=time.monotonic)
    looks: list[dict[str, float]] = field(default_factory=list)
    """Each `{"second": since the first look, <name>: MB, …}`."""

    def look(self) -> dict[str, float]:
        """Look once, remember it, and return MB by name."""
        held = {name: resident_mb(pid) for name, pid in self.pids.items()}
        self.looks.append({"second": round(time.monotonic() - self.began_at, 1), **held})
        return held

    def peaks(self) -> dict[str, float]:
        """Return the most that each process held at any look."""
        return {name: max(look[name] for look in self.looks) for name in self.pids}


@asynccontextmanager
async def watched(pids: Mapping[str, int], *, every: float = 1.0) -> AsyncIterator[Memory]:
    """Look at these processes' memory now, each so many seconds, and at the end."""
    memory = Memory(pids)

    async def go_on() -> None:
        while True:
            memory.look()
            await asyncio.sleep(every)

    looking = asyncio.create_task(go_on())
    try:
        yield memory
    finally:
        looking.cancel()
        memory.look()
