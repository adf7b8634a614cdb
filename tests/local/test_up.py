"""`permesso up`, with the real services: ready, restarted, stopped, and found as it was left."""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from services.local.layout import HOST, OFFSETS
from services.local.processes import is_alive

ROOT = Path(__file__).parents[2]


@dataclass
class Up:
    """One run of the command."""

    process: subprocess.Popen[str]
    folder: Path

    @property
    def facts(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "run.json").read_text()))

    @property
    def pids(self) -> dict[str, int]:
        return dict(self.facts["pids"])

    def first_line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.errors()
        return dict(json.loads(line))

    def errors(self) -> str:
        """What it said, when it has ended."""
        return self.process.communicate(timeout=20)[1]

    def end(self, number: signal.Signals, *, within: float = 12.0) -> int:
        self.process.send_signal(number)
        return self.process.wait(within)


def free_block() -> int:
    """A port with all its followers free."""
    for _ in range(50):
        with socket.create_server((HOST, 0)) as probe:
            port = int(probe.getsockname()[1])
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for offset in OFFSETS.values():
                stack.enter_context(socket.create_server((HOST, port + offset)))
            return port
    raise AssertionError("no free ports")


def start(folder: Path, port: int) -> Up:
    command = [sys.executable, "-m", "services", "up", "--json", "--no-demo"]
    process = subprocess.Popen(
        [*command, "--data-dir", str(folder), "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    return Up(process, folder)


def until(true: Callable[[], bool], *, within: float = 30.0) -> bool:
    deadline = time.monotonic() + within
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url + "/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Where the user that root hands PostgreSQL to can enter.
    with tempfile.TemporaryDirectory(prefix="permesso-up-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def port() -> int:
    return free_block()


@pytest.fixture(scope="module")
def house(folder: Path, port: int) -> Iterator[Up]:
    up = start(folder, port)
    up.first_line()
    yield up
    if up.process.poll() is None:
        up.end(signal.SIGTERM)
    up.process.communicate()


def test_it_says_in_one_line_where_everything_is(house: Up, port: int) -> None:
    facts = house.facts

    assert facts["ready"] is True
    assert facts["gateway"] == f"http://127.0.0.1:{port}"
    assert facts["consent"] == f"http://127.0.0.1:{port + 1}"
    assert facts["dispatcher"] == f"http://127.0.0.1:{port + 2}"
    assert facts["sandbox"] == f"http://127.0.0.1:{port + 10}"
    assert all(answers(facts[name]) for name in OFFSETS)
    assert set(house.pids) == {"gateway", "consent", "dispatcher", "sandbox", "postgres"}
    assert all(is_alive(pid) for pid in house.pids.values())


def test_secrets_are_for_their_owner_alone(house: Up) -> None:
    modes = [stat.S_IMODE((house.folder / n).stat().st_mode) for n in ("keys.json", "run.json")]

    assert modes == [0o600, 0o600]


def test_figures_are_on_ports_of_their_own(house: Up) -> None:
    texts = []
    for url in house.facts["metrics"].values():
        with urllib.request.urlopen(url, timeout=2) as answer:
            texts.append(answer.read().decode())

    assert len(texts) == 3
    assert all("process_resident_memory_bytes" in text for text in texts)


@pytest.mark.parametrize("name", ["gateway", "postgres"])
def test_what_is_killed_comes_back(house: Up, name: str) -> None:
    before = house.pids
    os.kill(before[name], signal.SIGKILL)

    assert until(lambda: house.pids[name] != before[name])
    assert until(lambda: all(answers(house.facts[each]) for each in OFFSETS))
    others = {each: pid for each, pid in before.items() if each != name}
    assert {each: house.pids[each] for each in others} == others


def test_a_second_one_on_the_same_folder_is_refused(house: Up, port: int) -> None:
    second = start(house.folder, port + 100)
    said = second.errors()

    assert second.process.returncode == 1
    assert "already runs" in said
    assert house.process.poll() is None


def test_a_port_that_is_taken_is_named(house: Up, port: int, tmp_path: Path) -> None:
    with contextlib.suppress(OSError):
        tmp_path.chmod(0o755)
    second = start(tmp_path, port)
    said = second.errors()

    assert second.process.returncode == 2
    assert f"Port {port} (for the gateway) is taken" in said
    assert "--port" in said


def test_it_stops_cleanly_and_leaves_nothing(house: Up, port: int) -> None:
    pids = house.pids
    began = time.monotonic()
    code = house.end(signal.SIGINT)

    assert code == 0
    assert time.monotonic() - began < 10
    assert not any(is_alive(pid) for pid in pids.values())
    assert house.pids == {}
    assert not (house.folder / "postgres" / "data" / "postmaster.pid").exists()


def test_it_is_found_as_it_was_left_even_after_a_kill(folder: Path, port: int) -> None:
    keys = (folder / "keys.json").read_text()
    first = start(folder, port)
    first.first_line()
    pids = first.pids
    first.process.kill()
    first.process.wait()
    second = start(folder, port)
    facts = second.first_line()
    orphans = [name for name, pid in pids.items() if is_alive(pid)]
    code = second.end(signal.SIGTERM)
    for up in (first, second):
        up.process.communicate()

    assert facts["ready"] is True
    assert orphans == []
    assert (folder / "keys.json").read_text() == keys
    assert code == 0
