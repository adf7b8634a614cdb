"""Somebody with every right on the database: it is named, and nothing is proven by it."""

import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.consent.audit import Audit, Finding
from services.consent.audit import audit as run_audit
from services.consent.notary import Notary
from services.consent.registry import Registry
from services.consent.signers import Signers
from shared.clients.base import ServiceRefused
from shared.contracts.consent import ConsentRecorded
from shared.database import Database
from tests.consent.consent_house import House
from tests.postgres import Urls

_EVENT_OF = r"id = (SELECT event_id FROM consent.log_leaf WHERE BRAND AND number = \1)"
TABLES = ("event", "log_leaf", "log_node", "log_checkpoint")
Damage = Callable[[str], Awaitable[None]]


@pytest.fixture
async def said(house: House, registry: Registry) -> list[ConsentRecorded]:
    """Eleven lines under three checkpoints; nobody is told of a sight, so no follower is misled."""
    made = []
    for number in range(11):
        made.append(await house.say("seen", f"p{number}"))
        if number % 4 == 1:
            await Notary(registry).advance(house.brand_id)
    await Notary(registry).advance(house.brand_id)
    return made


@pytest.fixture
def damage(house: House, owner_database: Database) -> Damage:
    """Do something to the brand's rows that no right and no trigger allows."""

    async def done(statement: str) -> None:
        async with owner_database.connection(house.brand_id) as connection:
            for table in TABLES:
                await connection.execute(f"ALTER TABLE consent.{table} DISABLE TRIGGER USER")
            text = re.sub(r"NUMBER\((\d+)\)", _EVENT_OF, statement)
            text = text.replace("BRAND", f"brand_id = '{house.brand_id}'")
            changed = await connection.execute(text)
            for table in TABLES:
                await connection.execute(f"ALTER TABLE consent.{table} ENABLE TRIGGER USER")
        assert not changed.endswith(" 0"), changed

    return done


async def audited(house: House, registry: Registry, *, batch: int = 3) -> list[Finding]:
    """What an audit finds; its batches are smaller than what lies between two checkpoints."""
    keys = [registry.signers.of(house.brand_id).key]
    audit = Audit(registry.database, house.brand_id, keys, batch=batch)
    return [finding async for finding in audit.run()]


async def test_a_whole_ledger_is_whole(
    house: House, registry: Registry, said: list[ConsentRecorded]
) -> None:
    await house.say("grant", "not-logged-yet")
    done, found = await run_audit(registry.database, registry.signers, house.brand_id)

    assert (found, done.lines, done.checkpoints) == ([], len(said), 4)
    for batch in (1, 2, 1_000):
        assert await audited(house, registry, batch=batch) == []


@pytest.mark.parametrize(
    ("statement", "codes", "names"),
    [
        (
            "UPDATE consent.event SET recorded_at = recorded_at - interval '1 day'"
            " WHERE BRAND AND NUMBER(3)",
            {"line_changed"},
            "number 3",
        ),
        (
            "UPDATE consent.event SET sealed = sealed || '\\x00' WHERE BRAND AND NUMBER(9)",
            {"line_changed"},
            "number 9",
        ),
        ("DELETE FROM consent.event WHERE BRAND AND NUMBER(5)", {"line_gone"}, "number 5"),
        (
            "UPDATE consent.log_leaf SET hash = sha256('x') WHERE BRAND AND number = 4",
            {"line_changed", "node_changed", "root"},
            "number 4",
        ),
        (
            "DELETE FROM consent.log_leaf WHERE BRAND AND number = 4",
            {"leaf_gone", "not_logged"},
            "Leaf 4",
        ),
        (
            "DELETE FROM consent.log_node WHERE BRAND AND level = 2 AND number = 1",
            {"node_gone"},
            "node 1 of level 2",
        ),
        (
            "UPDATE consent.log_node SET hash = sha256('x') WHERE BRAND AND level = 1"
            " AND number = 0",
            {"node_changed"},
            "node 0 of level 1",
        ),
        (
            "UPDATE consent.log_checkpoint SET root = sha256('x') WHERE BRAND AND size = 6",
            {"signature"},
            "checkpoint of 6 events",
        ),
        (
            "UPDATE consent.log_checkpoint SET note = replace(note, '\n6\n', '\n5\n')"
            " WHERE BRAND AND size = 6",
            {"signature"},
            "checkpoint of 6 events",
        ),
        ("DELETE FROM consent.log_checkpoint WHERE BRAND AND size > 6", {"head_gone"}, "5 leaves"),
        (
            "INSERT INTO consent.event SELECT (jsonb_populate_record(e, jsonb_build_object('id',"
            " gen_random_uuid(), 'seq', 1000000))).* FROM consent.event e"
            " WHERE BRAND AND NUMBER(0)",
            {"not_logged"},
            "seq",
        ),
    ],
)
async def test_what_was_done_to_the_rows_is_named(
    house: House,
    registry: Registry,
    said: list[ConsentRecorded],
    damage: Damage,
    statement: str,
    codes: set[str],
    names: str,
) -> None:
    if statement.startswith("INSERT"):
        statement = statement.replace(
            "INSERT INTO consent.event SELECT",
            "INSERT INTO consent.event OVERRIDING SYSTEM VALUE SELECT",
        )
    await damage(statement)
    found = await audited(house, registry)

    assert {each.code for each in found} == codes
    assert names in " ".join(each.text for each in found)


async def test_another_key_has_not_signed_it(
    house: House, registry: Registry, said: list[ConsentRecorded]
) -> None:
    renewed = Signers("aurora.example/ledger", "C" * 43)
    _, found = await run_audit(registry.database, renewed, house.brand_id)
    old = registry.signers.of(house.brand_id).key
    _, trusted = await run_audit(registry.database, renewed, house.brand_id, old_keys=[old])

    assert {each.code for each in found} == {"signature"}
    assert trusted == []


async def test_the_command_names_what_it_found(
    house: House,
    said: list[ConsentRecorded],
    damage: Damage,
    urls: Urls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "DATABASE_URL": urls.consent,
        "SERVICE_KEY": "unused",
        "SEALING_KEYS": '{"k1": "' + "A" * 43 + '"}',
        "LEDGER_KEY": "B" * 42 + "A",
        "SUPPRESSION_KEY": "C" * 43,
        "LEDGER_ORIGIN": "aurora.example/ledger",
    }.items():
        monkeypatch.setenv(f"CONSENT_{name}", value)

    def permesso(*more: str) -> tuple[int, str]:
        ran = subprocess.run(
            [sys.executable, "-m", "services", "ledger", "audit", str(house.brand_id), *more],
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout

    assert permesso() == (0, "WHOLE: 11 lines under 4 checkpoints.\n")
    await damage("DELETE FROM consent.event WHERE BRAND AND NUMBER(5)")
    code, output = permesso()
    assert (code, output.splitlines()[-1]) == (
        1,
        "DAMAGED: 1 findings in 11 lines under 4 checkpoints.",
    )
    assert "line_gone: " in output
    assert permesso("--key", "nonsense") == (2, "")


def alarms() -> float:
    return REGISTRY.get_sample_value("permesso_consent_ledger_damaged_total") or 0.0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM consent.log_node WHERE BRAND",
        "UPDATE consent.log_node SET hash = sha256('x') WHERE BRAND",
        "DELETE FROM consent.log_leaf WHERE BRAND AND number = 0",
        "DELETE FROM consent.log_leaf WHERE BRAND AND number = 1",
        "UPDATE consent.log_leaf SET hash = sha256('x') WHERE BRAND AND number = 0",
        "DELETE FROM consent.log_checkpoint WHERE BRAND AND size > 6",
    ],
)
async def test_nothing_is_proven_by_a_damaged_log(
    house: House, said: list[ConsentRecorded], damage: Damage, statement: str
) -> None:
    asked: UUID = said[-1 if "checkpoint" in statement else 0].id
    await damage(statement)
    before = alarms()
    for question in (house.client.prove, house.client.dossier):
        with pytest.raises(ServiceRefused) as refused:
            await question(house.brand_id, asked)
        assert (refused.value.status, refused.value.code) == (409, "ledger_damaged")

    assert alarms() == before + 2


async def test_a_step_between_two_heads_is_not_proven_by_a_damaged_log(
    house: House, said: list[ConsentRecorded], damage: Damage
) -> None:
    await damage("DELETE FROM consent.log_node WHERE BRAND")
    with pytest.raises(ServiceRefused, match="ledger_damaged"):
        await house.client.compare(house.brand_id, old=6, new=11)


async def test_a_line_that_is_gone_sounds_the_alarm_and_its_place_is_still_shown(
    house: House, said: list[ConsentRecorded], damage: Damage
) -> None:
    await damage("DELETE FROM consent.event WHERE BRAND AND NUMBER(5)")
    await damage("UPDATE consent.event SET outcome = 'granted' WHERE BRAND AND NUMBER(6)")
    before = alarms()
    gone = await house.client.dossier(house.brand_id, said[5].id)
    changed = await house.client.prove(house.brand_id, said[6].id)

    assert gone.events[0].proof.entry.entry is None
    assert gone.events[0].content is None
    assert changed.entry.entry is not None
    assert alarms() == before + 2


async def test_a_dossier_brings_what_the_evidence_names(house: House, registry: Registry) -> None:
    first = await house.say("grant", evidence={"source": "web_form", "wording": "Yes"})
    names = {"source": "web_form", "payload": str(first.id), "inbox_id": str(first.person_id)}
    second = await house.say("grant", evidence=names)
    await Notary(registry).advance(house.brand_id)
    found = await house.client.dossier(house.brand_id, second.id)

    assert [each.proof.entry.event_id for each in found.events] == [second.id, first.id]
    assert found.events[1].evidence is not None
    assert found.events[1].evidence.wording == "Yes"
