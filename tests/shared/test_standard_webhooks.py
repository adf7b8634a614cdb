"""Our signatures are Standard Webhooks: the specification's own library agrees with each."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from shared import clock
from shared.security.standard_webhooks import (
    HeadersOf,
    WrongSignature,
    new_secret,
    read_secret,
    sign,
    spell,
    verify,
)
from tests.channels.steady import steady

KEY = bytes(range(32))
OTHER = bytes(range(32, 64))
NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
IDS = st.text(st.sampled_from("abcXYZ019_-"), min_size=1, max_size=40)


@steady
@given(st.binary(min_size=24, max_size=64), IDS)
def test_the_library_believes_us(key: bytes, message_id: str) -> None:
    at, body = clock.now(), b'{"text":"\xc3\xa8"}'

    headers = sign([key], message_id=message_id, at=at, body=body)

    assert Webhook(spell(key)).verify(body, headers) == {"text": "è"}


@steady
@given(st.binary(min_size=24, max_size=64), IDS, st.binary())
def test_the_lines_of_a_request_are_the_same_headers(
    key: bytes, message_id: str, body: bytes
) -> None:
    headers = sign([key], message_id=message_id, at=NOW, body=body)

    lines = HeadersOf(key).lines(message_id=message_id, at=NOW, body=body)

    assert lines == "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


@pytest.mark.parametrize("message_id", ["a.b", "é", "a\r\nx: y"])
def test_an_id_that_would_sign_for_another_message_is_not_signed(message_id: str) -> None:
    with pytest.raises(ValueError, match="without a dot"):
        HeadersOf(KEY).lines(message_id=message_id, at=NOW, body=b"")


@steady
@given(st.binary(min_size=24, max_size=64), IDS)
def test_we_believe_the_library(key: bytes, message_id: str) -> None:
    at, body = clock.now(), '{"text":"è"}'
    signature = Webhook(spell(key)).sign(message_id, at, body)
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }

    assert verify([key], headers=headers, body=body.encode(), now=at) == message_id


@steady
@given(st.binary(), IDS)
def test_what_we_sign_we_believe(body: bytes, message_id: str) -> None:
    headers = sign([KEY], message_id=message_id, at=NOW, body=body)

    assert verify([KEY], headers=headers, body=body, now=NOW) == message_id


def test_a_secret_can_be_replaced_without_a_gap() -> None:
    headers = sign([KEY, OTHER], message_id="m", at=clock.now(), body=b"{}")

    assert Webhook(spell(KEY)).verify(b"{}", headers) == {}
    assert Webhook(spell(OTHER)).verify(b"{}", headers) == {}
    assert verify([OTHER], headers=headers, body=b"{}", now=clock.now()) == "m"
    assert verify([bytes(32), KEY], headers=headers, body=b"{}", now=clock.now()) == "m"


SIGNED = sign([KEY], message_id="m", at=NOW, body=b"{}")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"webhook-id": "n"}, "signature_wrong"),
        ({"webhook-id": ""}, "header_missing"),
        ({"webhook-id": "m\udcff"}, "signature_wrong"),
        ({"webhook-signature": ""}, "header_missing"),
        ({"webhook-signature": "v1,"}, "signature_wrong"),
        ({"webhook-signature": "v1,\udcff"}, "signature_wrong"),
        ({"webhook-signature": SIGNED["webhook-signature"][3:]}, "signature_wrong"),
        (
            {"webhook-signature": SIGNED["webhook-signature"].replace("v1,", "v2,")},
            "signature_wrong",
        ),
        ({"webhook-timestamp": "x"}, "timestamp_malformed"),
        ({"webhook-timestamp": "-1"}, "timestamp_malformed"),
        ({"webhook-timestamp": "1e9"}, "timestamp_malformed"),
        ({"webhook-timestamp": "²"}, "timestamp_malformed"),
        ({"webhook-timestamp": "9" * 40}, "timestamp_malformed"),
        ({"webhook-timestamp": "9" * 13}, "timestamp_far"),
        ({"webhook-timestamp": "0"}, "timestamp_far"),
        ({"webhook-timestamp": str(int(NOW.timestamp()) + 1)}, "signature_wrong"),
    ],
)
def test_a_changed_header_is_not_believed(change: dict[str, str], code: str) -> None:
    with pytest.raises(WrongSignature) as caught:
        verify([KEY], headers={**SIGNED, **change}, body=b"{}", now=NOW)

    assert caught.value.code == code


def test_a_changed_body_or_another_key_is_not_believed() -> None:
    with pytest.raises(WrongSignature):
        verify([KEY], headers=SIGNED, body=b"{} ", now=NOW)
    with pytest.raises(WrongSignature):
        verify([OTHER], headers=SIGNED, body=b"{}", now=NOW)
    with pytest.raises(WrongSignature):
        verify([], headers=SIGNED, body=b"{}", now=NOW)
    with pytest.raises(WebhookVerificationError):
        Webhook(spell(OTHER)).verify(b"{}", SIGNED)


@pytest.mark.parametrize(("minutes", "believed"), [(4, True), (-4, True), (6, False), (-6, False)])
def test_five_minutes_apart_are_enough(minutes: int, believed: bool) -> None:
    now, held = NOW + timedelta(minutes=minutes), True
    try:
        verify([KEY], headers=SIGNED, body=b"{}", now=now)
    except WrongSignature:
        held = False

    assert held is believed


@pytest.mark.parametrize("message_id", ["a.b", "a\n", "è", "a\x00"])
def test_an_id_that_could_be_misread_is_not_signed(message_id: str) -> None:
    with pytest.raises(ValueError, match="an id is"):
        sign([KEY], message_id=message_id, at=NOW, body=b"")


def test_a_new_secret_is_32_bytes_of_its_own() -> None:
    one, two = new_secret(), new_secret()

    assert one != two
    assert one.startswith("whsec_")
    assert len(read_secret(one)) == 32
    assert spell(read_secret(one)) == one


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_!!",
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + "A" * 96,
    ],
)
def test_a_malformed_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="a secret"):
        read_secret(secret)
