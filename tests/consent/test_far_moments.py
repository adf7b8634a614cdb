"""A time that nobody can have told truly stops nothing: not the person's no, and not the notary."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.consent import export
from services.consent.moments import as_utc
from services.consent.notary import Notary
from services.consent.registry import Registry
from shared.database import Database
from shared.ledger import entries, verify
from tests.consent.consent_house import House

FAR = [
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00+00:00",
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00-12:00",
    "0999-12-31T23:59:59+00:00",
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59.999999+00:00",
    "9999-12-31T23:59:59.999999",
    "9999-12-31T23:59:59.999999+14:00",
]

FIRST, LAST = (datetime.fromisoformat(each) for each in (FAR[2], FAR[7]))
"""What the driver makes of `-infinity` and `infinity`."""


async def exported(registry: Registry, house: House) -> list[bytes]:
    await Notary(registry).advance(house.brand_id)
    lines = export.lines(registry.database, registry.signers, house.brand_id)
    return [line async for line in lines]


def findings(lines: list[bytes]) -> list[Any]:
    return verify.verify(lines, [verify.read_key(json.loads(lines[0])["key"])]).findings


@pytest.mark.parametrize("told", FAR)
async def test_it_is_recorded_logged_exported_and_verified(
    house: House, registry: Registry, told: str
) -> None:
    at = datetime.fromisoformat(told)
    said = [await house.say(action, at=at) for action in ("grant", "block", "unblock", "revoke")]
    lines = await exported(registry, house)
    events = [line["entry"] for line in map(json.loads, lines) if line["type"] == "event"]

    assert [each.state for each in said] == ["granted", "revoked", "unchanged", "revoked"]
    assert len(events) == 4
    assert {len(each["platform_at"] or "-" * 27) for each in events} == {27}
    assert findings(lines) == []


async def test_a_line_of_before_with_such_a_time_does_not_stop_the_log(
    house: House, registry: Registry, owner_database: Database
) -> None:
    """The driver made `-infinity` of the very first moment; the ledger only grows, so it stays."""
    said = await house.say("grant")
    async with owner_database.connection(house.brand_id) as connection:
        for platform_at in ("-infinity", "infinity"):
            await connection.execute(
                "INSERT INTO consent.event (brand_id, id, action, account_id, channel, person_id,"
                " purpose, scope, held_scope, purposes, sealed, commitment, recorded_at, outcome,"
                " platform_at) SELECT brand_id, gen_random_uuid(), action, account_id, channel,"
                " person_id, purpose, scope, held_scope, purposes, sealed, commitment, recorded_at,"
                " outcome, $2::text::timestamptz FROM consent.event WHERE id = $1",
                said.id,
                platform_at,
            )
    lines = await exported(registry, house)

    assert len([line for line in lines if b'"type":"event"' in line]) == 3
    assert findings(lines) == []


def test_a_moment_without_a_zone_is_spelled_as_utc_wherever_the_machine_stands() -> None:
    assert entries._zulu(LAST) == "9999-12-31T23:59:59.999999Z"
    assert entries._zulu(FIRST) == entries._zulu(FIRST.replace(tzinfo=UTC))


def test_what_can_be_true_is_kept_as_it_was_told() -> None:
    told = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)

    assert as_utc(told) == told
    assert as_utc(datetime(1900, 1, 1, tzinfo=UTC)) == datetime(1900, 1, 1, tzinfo=UTC)
    assert as_utc(datetime(1899, 12, 31, 23, 59, tzinfo=UTC)) is None
    assert as_utc(LAST) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
