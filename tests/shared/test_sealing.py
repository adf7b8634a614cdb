"""Sealed values: opened by those who have the key, in the place they were sealed for."""

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.security.sealing import SealBroken, Sealer

OLD = Sealer({"k1": bytes(range(32))}, "k1")
BOTH = Sealer({"k1": bytes(range(32)), "k2": bytes(range(32, 64))}, "k2")
PLACE = "brand|account|credentials|7"


@given(st.binary(max_size=4096))
def test_what_is_sealed_can_be_opened(plaintext: bytes) -> None:
    assert OLD.open(OLD.seal(plaintext, context=PLACE), context=PLACE) == plaintext


def test_two_seals_of_one_value_have_nothing_in_common() -> None:
    first, second = (OLD.seal(b"secret", context=PLACE) for _ in range(2))

    assert first[4:] != second[4:]
    assert b"secret" not in first


def test_it_cannot_be_opened_elsewhere() -> None:
    blob = OLD.seal(b"secret", context=PLACE)

    with pytest.raises(SealBroken):
        OLD.open(blob, context=PLACE.replace("7", "8"))


def test_every_changed_byte_is_noticed() -> None:
    blob = OLD.seal(b"secret", context=PLACE)
    for position in range(len(blob)):
        changed = bytearray(blob)
        changed[position] ^= 1
        with pytest.raises(SealBroken):
            OLD.open(bytes(changed), context=PLACE)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 20, 80])
def test_a_piece_of_it_is_noticed(length: int) -> None:
    with pytest.raises(SealBroken):
        OLD.open(OLD.seal(b"secret", context=PLACE)[:length], context=PLACE)


def test_rubbish_is_noticed() -> None:
    for _ in range(200):
        with pytest.raises(SealBroken):
            OLD.open(os.urandom(100), context=PLACE)


def test_keys_are_changed_without_opening() -> None:
    blob = OLD.seal(b"secret", context=PLACE)
    moved = BOTH.rewrap(blob, context=PLACE)

    assert BOTH.open(blob, context=PLACE) == b"secret"
    assert Sealer({"k2": bytes(range(32, 64))}, "k2").open(moved, context=PLACE) == b"secret"
    assert (Sealer.key_id(blob), Sealer.key_id(moved)) == ("k1", "k2")
    with pytest.raises(SealBroken):
        OLD.open(moved, context=PLACE)


def test_settings_give_keys_in_either_alphabet_and_the_last_is_current() -> None:
    raw = bytes([255] * 32)
    keys = {
        "a": base64.b64encode(raw).decode(),
        "b": base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
    sealer = Sealer.from_base64(keys)

    assert Sealer.key_id(sealer.seal(b"", context="")) == "b"


@pytest.mark.parametrize(
    ("keys", "current"), [({"a": b"short"}, "a"), ({"a": bytes(32)}, "b"), ({"": bytes(32)}, "")]
)
def test_keys_that_are_none_are_refused(keys: dict[str, bytes], current: str) -> None:
    with pytest.raises(ValueError, match="sealing key"):
        Sealer(keys, current)
