"""API keys: recognised, or not keys of ours at all."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.gateway import keys
from shared.ids import new_id


def test_a_key_says_which_one_it_is():
    key_id = new_id()
    shown, secret = keys.make(key_id)

    assert keys.read(shown) == keys.Presented(key_id, secret)
    assert shown.startswith("pmso_live_")
    assert len(secret) == 43


def test_two_keys_of_one_id_have_two_secrets():
    assert keys.make(UUID(int=7))[1] != keys.make(UUID(int=7))[1]


@given(st.integers(0, 84), st.characters())
def test_a_typing_error_is_seen_without_a_database(place, character):
    shown, _ = keys.make(UUID(int=(1 << 128) - 1))
    mistyped = shown[:place] + character + shown[place + 1 :]

    assert mistyped == shown or keys.read(mistyped) is None


@given(st.text() | st.text().map(lambda text: f"pmso_live_{text}_00000000"))
def test_whatever_is_shown_nothing_breaks(text):
    assert keys.read(text) is None


def test_a_digest_depends_on_secret_and_pepper():
    digests = {keys.digest(s, p) for s in ("a", "b") for p in (b"1", b"2")}
    assert len(digests) == 4
    assert all(len(digest) == 32 for digest in digests)
