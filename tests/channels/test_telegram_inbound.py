"""Telegram's updates in our own words; and nothing that comes in can make us fall."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base.webhook import SignatureMismatch, WebhookRequest
from channels.telegram.inbound import SECRET_HEADER, parse, stamp, verify
from shared.contracts.inbound import InboundEvent, PersonStarted, PersonWrote
from tests.channels.steady import steady

MEANINGS = {
    "captured__my_chat_member_blocked": "blocked",
    "captured__my_chat_member_unblocked": "unblocked",
    "official__callback_query_inline": "tapped",
    "official__message_audio": "wrote",
    "official__message_document": "wrote",
    "official__message_entities": "wrote",
    "official__message_forwarded": "wrote",
    "official__message_forwarded_channel": "wrote",
    "official__message_reply": "started",
    "official__message_text_start": "started",
    "official__message_voice": "wrote",
    "teloxide__de_private_chat_text_message": "wrote",
    "teloxide__dice_works": "wrote",
    "teloxide__issue_1107": "wrote",
    "teloxide__issue_1107_2": "wrote",
    "teloxide__issue_523": "blocked",
    "teloxide__message": "wrote",
    "teloxide__message_effect_id": "wrote",
    "teloxide__message_media_group_video": "wrote",
    "teloxide__message_migrate_to_chat_id": "moved",
    "teloxide__message_photo": "wrote",
    "tests__callback_query_with_message": "tapped",
    "tests__message_write_access_allowed": "started",
    "tests__start_deep_link_real_shape": "started",
}
"""What each recorded update of other people means; what is not named here means nothing to us."""


def read(update: object) -> InboundEvent:
    (event,) = parse(WebhookRequest(body=orjson.dumps(update)))
    return event


def message(**fields: Any) -> dict[str, Any]:
    chat = {"id": 42, "type": "private"}
    sender = {"id": 42, "is_bot": False, "first_name": "Ada", "language_code": "en"}
    return {
        "update_id": 1,
        "message": {"message_id": 7, "date": 1_700_000_000, "chat": chat, "from": sender, **fields},
    }


def test_every_recorded_update_is_understood_or_kept(fixtures: Path) -> None:
    files = sorted((fixtures / "telegram").glob("*.json"))

    meanings = {path.stem: read(json.loads(path.read_text())).type for path in files}

    assert len(files) >= 41
    assert {name: kind for name, kind in meanings.items() if kind != "unknown"} == MEANINGS


def test_every_recorded_update_is_stamped_by_its_number(fixtures: Path) -> None:
    for path in (fixtures / "telegram").glob("*.json"):
        body = path.read_bytes()

        assert stamp(WebhookRequest(body=body)).dedupe == str(json.loads(body)["update_id"])


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("/start", None),
        ("/start ", None),
        ("/start w_9fK2", "w_9fK2"),
        ("/start@aurora_bot w_9fK2", "w_9fK2"),
        ("/start  two words ", "two words"),
    ],
)
def test_start_opens_the_conversation(text: str, payload: str | None) -> None:
    event = read(message(text=text))

    assert isinstance(event, PersonStarted)
    assert event.payload == payload


@pytest.mark.parametrize("text", ["/started", "start", " /start", "/START", "say /start"])
def test_what_only_looks_like_start_is_words(text: str) -> None:
    event = read(message(text=text))

    assert isinstance(event, PersonWrote)
    assert event.text == text


def test_start_in_a_group_starts_nothing() -> None:
    update = message(text="/start")
    update["message"]["chat"] = {"id": -42, "type": "supergroup"}

    event = read(update)

    assert isinstance(event, PersonWrote)
    assert event.address == "-42"


def test_a_command_to_one_of_several_bots_is_the_command() -> None:
    event = read(message(text="/stop@aurora_bot per favore"))

    assert isinstance(event, PersonWrote)
    assert event.text == "/stop per favore"


@pytest.mark.parametrize("kind", ["photo", "video", "voice", "sticker", "location", "poll"])
def test_what_is_not_words_says_what_it_is(kind: str) -> None:
    event = read(message(**{kind: {}}))

    assert isinstance(event, PersonWrote)
    assert event.kind == kind
    assert event.text is None


def test_the_words_below_a_picture_are_heard() -> None:
    event = read(message(photo=[], caption="STOP"))

    assert isinstance(event, PersonWrote)
    assert event.text == "STOP"


def test_an_event_without_a_date_happened_when_it_came() -> None:
    received_at = datetime(2026, 11, 22, tzinfo=UTC)
    body = orjson.dumps({"update_id": 1, "callback_query": {"from": {"id": 1}, "data": "x"}})

    (event,) = parse(WebhookRequest(body=body, received_at=received_at))

    assert event.at == received_at


def test_a_nul_is_taken_out_because_the_database_cannot_keep_it() -> None:
    event = read(message(text="a\x00b"))

    assert isinstance(event, PersonWrote)
    assert event.text == "ab"


@pytest.mark.parametrize("name", ["message_id", "chat", "from", "date", "text"])
@pytest.mark.parametrize(
    "wrong", [None, True, -1, 2**62, 1.5, "x", "", [], [1], {}, {"id": "42"}, {"id": 2**63 - 1}]
)
def test_a_field_of_a_wrong_type_is_survived(name: str, wrong: object) -> None:
    request = WebhookRequest(body=orjson.dumps(message(**{"text": "hi", name: wrong})))

    assert len(parse(request)) == 1
    assert stamp(request).dedupe == "1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["id"]), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "message_id",
        "from",
        "chat",
        "date",
        "text",
        "caption",
        "photo",
        "rich_message",
        "migrate_to_chat_id",
        "reply_to_message",
        "write_access_allowed",
        "forward_origin",
        "data",
        "id",
        "message",
        "new_chat_member",
        "status",
    ]
)
UPDATES = st.dictionaries(
    st.sampled_from(["update_id", "message", "callback_query", "my_chat_member", "poll", "x\x00"]),
    JSON | st.dictionaries(FIELDS, JSON),
)


@steady
@given(UPDATES)
def test_no_update_makes_us_fall(update: dict[str, object]) -> None:
    body = json.dumps(update).encode("utf-8", "surrogatepass")
    request = WebhookRequest(body=body)

    (event,) = parse(request)
    stamped = stamp(request)

    assert stamped.dedupe
    assert stamped.person
    assert "\x00" not in event.model_dump_json()
    assert parse(request)[0].model_copy(update={"at": event.at}) == event


@steady
@given(st.binary())
def test_no_bytes_make_us_fall(body: bytes) -> None:
    request = WebhookRequest(body=body)

    assert len(parse(request)) == 1
    assert stamp(request) == stamp(WebhookRequest(body=body))


@pytest.mark.parametrize("depth", [100, 900, 1_020, 100_000])
def test_deep_nesting_is_survived(depth: int) -> None:
    nested = b'{"blocks":[' * depth + b"1" + b"]}" * depth
    body = (
        b'{"update_id":5,"message":{"message_id":1,"chat":{"id":9},"rich_message":' + nested + b"}}"
    )

    (event,) = parse(WebhookRequest(body=body))

    assert event.type == ("wrote" if depth < 500 else "unknown")
    assert stamp(WebhookRequest(body=body)).dedupe


@pytest.mark.parametrize(
    ("told", "secret"),
    [("", "s"), ("S", "s"), ("s ", "s"), ("ß", "s"), ("\udcff", "s"), ("", ""), ("x", "")],
)
def test_only_the_secret_itself_is_believed(told: str, secret: str) -> None:
    request = WebhookRequest(body=b"{}", headers={SECRET_HEADER: told})

    with pytest.raises(SignatureMismatch):
        verify(request, secret)


def test_the_secret_is_believed() -> None:
    verify(WebhookRequest(body=b"{}", headers={SECRET_HEADER: "s3cret_-"}), "s3cret_-")

    assert stamp(WebhookRequest(body=b"{}")).dedupe
