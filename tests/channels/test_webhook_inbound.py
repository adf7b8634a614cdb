"""What a brand's own system posts to us: believed when signed, and never too odd to survive."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from channels.base.webhook import SignatureMismatch, WebhookRequest
from channels.webhook.inbound import parse, stamp
from channels.webhook.signing import inbound_key, verify, webhook_id
from shared import clock
from shared.ids import new_id
from shared.security.standard_webhooks import new_secret, spell
from tests.channels.steady import steady


def signed(body: str, secret: str) -> WebhookRequest:
    """Post as a brand's system would, by the specification's own library."""
    now = clock.now()
    headers = {
        "webhook-id": "evt_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(spell(inbound_key(secret))).sign("evt_1", now, body),
    }
    return WebhookRequest(body=body.encode(), headers=headers)


@pytest.mark.parametrize(
    "secret", [new_secret(), "a-secret_of-our-gateway-0123456789"], ids=["ours", "a_gateways"]
)
def test_what_is_signed_is_believed(secret: str) -> None:
    request = signed('{"type":"wrote"}', secret)

    verify(request, secret)

    assert stamp(request).dedupe == "evt_1"


@pytest.mark.parametrize(
    "secret", ["another-secret-of-somebody-else-42", "", "whsec_?", "whsec_AA"]
)
def test_what_is_signed_otherwise_is_not(secret: str) -> None:
    with pytest.raises(SignatureMismatch):
        verify(signed('{"type":"wrote"}', "a-secret_of-our-gateway-0123456789"), secret)


def test_an_old_request_is_not_believed() -> None:
    secret = new_secret()
    fresh = signed("{}", secret)
    late = WebhookRequest(
        body=fresh.body,
        headers=fresh.headers,
        received_at=fresh.received_at.replace(year=fresh.received_at.year + 1),
    )

    with pytest.raises(SignatureMismatch):
        verify(late, secret)


@pytest.mark.parametrize(
    "told",
    [
        {"type": "wrote", "address": "a"},
        {"type": "wrote", "address": "", "text": "x"},
        {"type": "wrote", "address": "a" * 257, "text": "x"},
        {"type": "wrote", "address": "a\nb", "text": "x"},
        {"type": "wrote", "address": 7, "text": "x"},
        {"type": "tapped", "address": "a"},
        {"type": "moved", "address": "a"},
        {"type": "receipt", "id": "m", "status": "lost"},
        {"type": "receipt", "status": "read"},
        {"type": 5},
        {},
    ],
)
def test_what_lacks_something_is_kept_and_means_nothing(told: dict[str, object]) -> None:
    (event,) = parse(WebhookRequest(body=orjson.dumps(told)))

    assert event.type == "unknown"


@pytest.mark.parametrize(
    "at", ["", "yesterday", "2026-11-22T10:00:00", 5, "0001-01-01T00:00+14:00"]
)
def test_a_time_that_is_none_is_the_time_it_came(at: object) -> None:
    request = WebhookRequest(body=orjson.dumps({"type": "blocked", "address": "a", "at": at}))

    (event,) = parse(request)

    assert event.at == request.received_at


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
TYPES = st.sampled_from(
    [
        *("wrote", "started", "tapped", "blocked", "unblocked", "moved", "receipt"),
        *("opted_out", "opted_in", "left"),
    ]
)
FIELDS = [
    "address",
    "text",
    "kind",
    "id",
    "at",
    "language",
    "name",
    "payload",
    "data",
    "new_address",
    "status",
    "code",
]


@steady
@given(st.fixed_dictionaries({"type": TYPES | JSON}, optional=dict.fromkeys(FIELDS, JSON)))
def test_no_document_makes_us_fall(told: dict[str, object]) -> None:
    request = WebhookRequest(body=json.dumps(told).encode("utf-8", "surrogatepass"))

    (event,) = parse(request)

    assert "\x00" not in event.model_dump_json()
    assert stamp(request).dedupe
    assert stamp(request).person


@steady
@given(st.binary())
def test_no_bytes_make_us_fall(body: bytes) -> None:
    assert len(parse(WebhookRequest(body=body))) == 1


def test_each_part_of_each_message_has_one_id() -> None:
    message = new_id()

    assert webhook_id(message, 0) == webhook_id(message, 0)
    assert webhook_id(message, 0) != webhook_id(message, 1)
    assert webhook_id(message, 0) != webhook_id(new_id(), 0)
    assert "." not in webhook_id(message, 0)
