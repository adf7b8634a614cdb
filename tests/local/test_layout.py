"""Where things are: ports, logs, what each program is told, and what a dead supervisor left."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.local.keys import fresh_keys
from services.local.layout import HOST, Layout, PortTaken, check_ports, free_ports, rotate
from services.local.orphans import end_orphans
from services.local.processes import is_alive
from services.local.readiness import answers_ok

ROOT = Path(__file__).parents[2]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    ports = {"gateway": 1, "consent": 2, "dispatcher": 3}
    return Layout(folder=tmp_path, port=9000, metrics_ports=ports, keys=fresh_keys())


def roles(layout: Layout) -> dict[str, str]:
    return {role: f"postgresql://{role}@/db" for role in layout.keys.role_passwords}


def test_each_service_is_told_its_own_secrets_and_no_others(layout: Layout) -> None:
    told = {name: layout.environment(name, roles(layout)) for name in layout.keys.service_keys}

    for name, environment in told.items():
        text = json.dumps(environment)
        for other in told:
            assert (layout.keys.service_keys[other] in text) == (name == other)
            assert (layout.keys.sealing_keys[other]["k1"] in text) == (name == other)
    assert layout.keys.operator_key not in json.dumps(told["dispatcher"])
    assert "CONSENT_DISPATCHER_URL" not in told["consent"]


def test_what_the_operator_has_set_stays(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCHER_IN_FLIGHT", "7")

    assert layout.environment("dispatcher", roles(layout))["DISPATCHER_IN_FLIGHT"] == "7"


def test_only_the_sandbox_may_be_called_on_this_machine(layout: Layout) -> None:
    allowed = layout.environment("dispatcher", roles(layout))["DISPATCHER_ALLOWED_ADDRESSES"]

    assert allowed == "127.0.0.1:9010,localhost:9010"


def test_the_port_that_is_taken_is_named() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = int(taken.getsockname()[1])
        with pytest.raises(PortTaken, match=rf"Port {port} \(for the consent\) is taken"):
            check_ports(port - 1)
    with pytest.raises(PortTaken, match="65540"):
        check_ports(65_530)


def test_a_large_log_is_put_aside_and_few_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.local.layout._LARGEST_LOG", 5)
    log = tmp_path / "gateway.log"
    for number in range(6):
        log.write_text(f"run {number}")
        rotate(log)
    log.write_text("tiny")
    rotate(log)

    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        "gateway.log": "tiny",
        "gateway.log.1": "run 5",
        "gateway.log.2": "run 4",
        "gateway.log.3": "run 3",
    }


WAITING = "import sys, time; print('up', flush=True); time.sleep(60)"


def test_what_a_dead_supervisor_left_is_ended_and_nobody_else(tmp_path: Path) -> None:
    ours = [sys.executable, "-c", WAITING, "-m services gateway"]
    stranger = [sys.executable, "-c", WAITING]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in (ours, stranger)]
    for each in running:
        assert each.stdout is not None
        each.stdout.readline()
    pids = {"gateway": running[0].pid, "consent": running[1].pid, "dispatcher": 2**22 + 1}
    facts = tmp_path / "run.json"
    facts.write_text(json.dumps({"pids": pids}))
    try:
        end_orphans(facts)
        alive = [is_alive(each.pid) for each in running]
    finally:
        for each in running:
            each.kill()
            each.communicate()

    assert alive == [False, True]


@pytest.mark.parametrize("content", [None, "", "{}", '{"pids": []}', '{"pids": {"a": "b"}}'])
def test_facts_that_are_none_are_no_matter(tmp_path: Path, content: str | None) -> None:
    facts = tmp_path / "run.json"
    if content is not None:
        facts.write_text(content)

    end_orphans(facts)

    assert is_alive(os.getpid())


async def test_nobody_there_is_not_ready() -> None:
    (port,) = free_ports(1)

    assert not await answers_ok(HOST, port, "/readyz")


def test_a_service_without_settings_says_what_is_missing() -> None:
    environment = {"PATH": os.defpath, "CONSENT_DATABASE_URL": "postgresql://role:s3cret@/db"}
    run = subprocess.run(
        [sys.executable, "-m", "services", "consent"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )

    assert run.returncode == 2
    assert "CONSENT_SERVICE_KEY: Field required" in run.stderr
    assert "s3cret" not in run.stderr + run.stdout


def test_a_service_ends_well_when_told() -> None:
    """With a database that is away it starts, says so, and stops at once."""
    keys = fresh_keys()
    (port,) = free_ports(1)
    layout = Layout(folder=ROOT, port=port - 1, metrics_ports={"consent": 0}, keys=keys)
    away = dict.fromkeys(keys.role_passwords, "postgresql://nobody:x@127.0.0.1:1/none")
    with subprocess.Popen(
        layout.command("consent"),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=layout.environment("consent", away),
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "startup complete" in line or "Uvicorn running" in line:
                break
        process.send_signal(signal.SIGTERM)
        code = process.wait(10)

    assert code == 0
