"""Programs that outlived a supervisor that was killed: find them and end them."""

import json
import signal
from pathlib import Path

import structlog

from services.local.processes import command_of, is_alive, stop_process

log = structlog.get_logger()

_OURS = ("-m services", "-m sandbox")


def end_orphans(facts: Path) -> None:
    """End what the facts of a former run name and what is still there.

    Process ids are used again by the system, so the command line must be one of ours too.
    PostgreSQL is not for here: it knows its own from the lock in its data.
    """
    try:
        pids = dict(json.loads(facts.read_text())["pids"]).items()
    except (OSError, ValueError, KeyError, TypeError):
        return
    for name, pid in pids:
        if name == "postgres" or not isinstance(pid, int) or not is_alive(pid):
            continue
        if any(sign in command_of(pid) for sign in _OURS):
            log.warning("process.orphan_stopped", name=name, pid=pid)
            stop_process(pid, signal.SIGTERM, within=5)
