"""A service under a sampling profiler of our own, for where py-spy is missing.

`python -m tests.bench.sampled FILE dispatcher` runs it. SIGUSR1 begins a profile, SIGUSR2 writes it
to FILE: one line for each stack, its frames from the outermost on, and how often it was met.
The clock is the processor's, so waiting costs nothing. What runs without a Python frame of its own
(a driver's compiled half) is counted with the Python function that runs next.
"""

import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

EVERY = 0.004
"""Seconds of processor time between two samples."""
_MET: Counter[tuple[str, ...]] = Counter()


def _sample(number: int, frame: FrameType | None) -> None:
    stack: list[str] = []
    while frame is not None:
        code = frame.f_code
        stack.append(f"{code.co_name} ({code.co_filename}:{code.co_firstlineno})")
        frame = frame.f_back
    _MET[tuple(reversed(stack))] += 1


def _begin(number: int, frame: FrameType | None) -> None:
    _MET.clear()
    signal.setitimer(signal.ITIMER_PROF, EVERY, EVERY)


def _write(number: int, frame: FrameType | None) -> None:
    signal.setitimer(signal.ITIMER_PROF, 0)
    beside = Path(sys.orig_argv[3] + ".new")
    beside.write_text("".join(f"{';'.join(stack)} {count}\n" for stack, count in _MET.items()))
    beside.rename(sys.orig_argv[3])


if __name__ == "__main__":
    signal.signal(signal.SIGPROF, _sample)
    signal.signal(signal.SIGUSR1, _begin)
    signal.signal(signal.SIGUSR2, _write)
    sys.argv = ["services", *sys.argv[2:]]
    runpy.run_module("services", run_name="__main__", alter_sys=True)
