"""What an event is in the log: these bytes, for ever."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any
from uuid import UUID

from shared.ledger import entries, merkle

EVENT: dict[str, Any] = {
    "brand_id": UUID(int=1),
    "id": UUID(int=2),
    "account_id": UUID(int=3),
    "seq": 4711,
    "action": "revoke",
    "channel": "telegram",
    "purpose": "marketing.caffè",
    "scope": "channel",
    "held_scope": "brand",
    "purposes": ["marketing", "measuring"],
    "outcome": "revoked",
    "reason": None,
    "platform_at": datetime(2026, 11, 22, 10, 30, tzinfo=timezone(timedelta(hours=1))),
    "recorded_at": datetime(2026, 11, 22, 9, 30, 1, 5, tzinfo=UTC),
    "expires_at": None,
    "sealed": b"ciphertext",
    "commitment": sha256(b"salt and content").digest(),
}
VERSION_1 = (
    '{"account_id":"00000000-0000-0000-0000-000000000003","action":"revoke",'
    '"brand_id":"00000000-0000-0000-0000-000000000001","channel":"telegram",'
    '"commitment":"92535b538ea68f8e19ae6d87cef2da49caa51660abc26490b19c7860aef88ace",'
    '"expires_at":null,"held_scope":"brand","id":"00000000-0000-0000-0000-000000000002",'
    '"outcome":"revoked","platform_at":"2026-11-22T09:30:00.000000Z",'
    '"purpose":"marketing.caffè","purposes":["marketing","measuring"],"reason":null,'
    '"recorded_at":"2026-11-22T09:30:01.000005Z","scope":"channel",'
    '"sealed":"305531dcc50ebca31cf1d5b31e9fc76ed51f66b3b6dd5a030c6539ae6532f979","seq":4711,"v":1}'
)
LEAF = "ab81e8b0c0da1868bd34465f861b33e4fceda5466c5cb5bc07cbe6b98f878b5f"


def test_version_1_is_these_bytes() -> None:
    """Whoever has to change this test makes a version 2 instead: version 1 was signed."""
    made = entries.canonical(entries.entry(EVENT))

    assert made.decode() == VERSION_1
    assert merkle.leaf_hash(made).hex() == LEAF


def test_an_event_of_before_has_no_commitment() -> None:
    assert entries.entry({**EVENT, "commitment": None})["commitment"] is None


def test_every_field_changes_the_leaf() -> None:
    other = {
        str: lambda value: value + "x",
        int: lambda value: value + 1,
        list: lambda value: value[:-1],
        bytes: lambda value: value + b"x",
        UUID: lambda value: UUID(int=value.int + 9),
        datetime: lambda value: value + timedelta(microseconds=1),
        type(None): lambda value: EVENT["recorded_at"],
    }
    before = entries.canonical(entries.entry(EVENT))
    for name, value in EVENT.items():
        change = "other" if name == "reason" else other[type(value)](value)
        assert entries.canonical(entries.entry({**EVENT, name: change})) != before, name
