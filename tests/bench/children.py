"""Stubs and baselines as processes of their own, that say what they have to say line by line."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import orjson

from services.local.processes import ending_with_us
from tests.bench.figures import NotReal
from tests.bench.house import ROOT


@contextmanager
def a_child(module: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], bytes]]:
    """Run a module of ours in a process of its own; yield it with its first line."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=ending_with_us(signal.SIGKILL),
    )
    try:
        yield process, first_line(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Wait for the next line that a child prints."""
    output: IO[bytes] | None = process.stdout
    line = output.readline() if output is not None else b""
    if not line:
        raise NotReal("a child process ended before its time")
    return line


async def told(child: subprocess.Popen[bytes], number: int) -> dict[str, Any]:
    """Tell a baseline how many it should do; return what it says of it."""
    assert child.stdin is not None
    child.stdin.write(b"%d\n" % number)
    child.stdin.flush()
    answer: dict[str, Any] = orjson.loads(await asyncio.to_thread(first_line, child))
    return answer
