"""Named places where a test may make the house wait or die. Off unless the environment says so.

`PERMESSO_FAILPOINTS="dispatcher.before_write=sleep(0..300);dispatcher.after_intent=crash(0.01)"`:
`sleep(a..b)` waits a random number of milliseconds, `crash(p)` kills this process with chance p
(1 when left out), as the power would; `crash(#3)` at the third time it is reached.
"""

import asyncio
import os
import random
import re
import signal
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

_RULE = re.compile(r"^([a-z_.]+)=(sleep|crash)(?:\(([^)]*)\))?$")

_Action = Callable[[], Coroutine[Any, Any, None]]


async def _sleep(shortest: float, longest: float) -> None:
    await asyncio.sleep(random.uniform(shortest, longest) / 1000)  # noqa: S311  (a test's chance)


async def _crash(chance: float) -> None:
    if random.random() < chance:  # noqa: S311  (a test's chance)
        os.kill(os.getpid(), signal.SIGKILL)


class _CrashAt:
    """Kill this process at the n-th time."""

    def __init__(self, number: int) -> None:
        self._left = number

    async def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def parse(rules: str) -> dict[str, _Action]:
    """Read rules as the environment gives them; raises ValueError that names a bad one."""
    actions: dict[str, _Action] = {}
    for rule in filter(None, rules.split(";")):
        if not (found := _RULE.match(rule.strip())):
            raise ValueError(f"PERMESSO_FAILPOINTS: cannot read {rule!r}")
        name, action, argument = found.groups()
        if action == "sleep":
            shortest, _, longest = (argument or "0").partition("..")
            actions[name] = partial(_sleep, float(shortest), float(longest or shortest))
        elif argument and argument.startswith("#"):
            actions[name] = _CrashAt(int(argument[1:]))
        else:
            actions[name] = partial(_crash, float(argument or 1))
    return actions


ACTIVE: dict[str, _Action] = parse(os.environ.get("PERMESSO_FAILPOINTS", ""))


async def reach(name: str) -> None:
    """Do what the environment asked for at this place: usually nothing."""
    if ACTIVE and (action := ACTIVE.get(name)):
        await action()
