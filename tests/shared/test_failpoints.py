"""Failpoints do what they are told, and nothing unless told."""

import subprocess
import sys

import pytest

from shared import failpoints


def test_they_are_off_unless_the_environment_turns_them_on():
    assert failpoints.parse("") == {}


@pytest.mark.parametrize("rules", ["nonsense", "a.b=explode", "a.b=sleep(x)"])
def test_a_rule_nobody_understands_is_refused(rules):
    with pytest.raises(ValueError, match=r"."):
        failpoints.parse(rules)


@pytest.mark.parametrize(("rule", "times"), [("crash", 1), ("crash(#3)", 3)])
def test_a_crash_is_a_kill_at_its_time(rule, times):
    script = (
        "import asyncio\nfrom shared import failpoints\nasync def main():\n"
        f"    for n in range({times}):\n"
        "        print(n, flush=True)\n        await failpoints.reach('a.b')\n"
        "    print('alive')\nasyncio.run(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PERMESSO_FAILPOINTS": f"a.b={rule}"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == -9
    assert done.stdout.split() == [str(n) for n in range(times)]


async def test_a_sleep_waits():
    actions = failpoints.parse("a.b=sleep(1..2)")
    await actions["a.b"]()

    assert list(actions) == ["a.b"]
