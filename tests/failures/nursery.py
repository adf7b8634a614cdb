"""Forks the house's processes: importing all of their code takes nine seconds, once for all.

Each line of its input is a process to start, as JSON, and is answered by a line with its id. What a
process ended with is written to a file beside its log.
"""

import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import sandbox.__main__
import services.__main__
import services.consent.app
import services.dispatcher.app
import services.gateway.app
from channels.registry import CHANNELS
from services.local.processes import ending_with_us
from shared import failpoints
from tests import leaver
from tests.failures.mutants import MUTANTS

_EXITS: dict[int, Path] = {}


def main() -> None:
    """Start what is asked for until nobody asks any more."""
    CHANNELS["telegram"].load()
    # A channel that no platform of ours is: for what only some platforms demand.
    leaver.join()
    signal.signal(signal.SIGCHLD, _bury)
    _say({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        arrange = ending_with_us(signal.SIGKILL)
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            _live(order, arrange)
        _EXITS[pid] = Path(order["folder"]) / f"{pid}.exit"
        _say({"pid": pid})


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _bury(number: int, frame: FrameType | None) -> None:
    """Write down how a process ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            _EXITS[pid].write_text(str(os.waitstatus_to_exitcode(status)))


def _live(order: dict[str, Any], arrange: Callable[[], None]) -> NoReturn:
    """Be the process that was asked for."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        arrange()
        _speak_into(Path(order["log"]))
        os.environ.clear()
        os.environ.update(order["environment"])
        # What is read at the import was read in the parent.
        failpoints.ACTIVE.update(failpoints.parse(order["failpoints"]))
        random.seed()
        if order["mutant"]:
            MUTANTS[order["mutant"]]()
        sys.argv = order["argv"]
        sandbox.__main__.main() if order["name"] == "sandbox" else services.__main__.main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(code)


def _speak_into(log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


if __name__ == "__main__":
    main()
