"""Notes and checkpoints against those of others, and what is refused."""

import pytest

from shared.ledger.notes import Checkpoint, NoteKey, NoteRefused, NoteSigner, open_note, read_seed

# From the documentation of golang.org/x/mod/sumdb/note.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)
# From c2sp.org/tlog-checkpoint.
C2SP_TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

SIGNER = NoteSigner("aurora.example/log", bytes(range(32)))
HEAD = Checkpoint("aurora.example/log", 7, bytes(range(32)))


def test_a_note_of_another_implementation_is_read() -> None:
    key = NoteKey.parse(GO_KEY)

    assert str(key) == GO_KEY
    assert open_note(GO_NOTE, [key]).startswith("If you think")


def test_a_checkpoint_of_another_log_is_read() -> None:
    read = Checkpoint.parse(C2SP_TEXT)

    assert (read.origin, read.size) == ("example.com/behind-the-sofa", 20852163)
    assert read.text() == C2SP_TEXT


def test_what_was_signed_is_opened_beside_signatures_of_strangers() -> None:
    stranger = NoteSigner("stranger.example", bytes(32))
    note = SIGNER.sign(HEAD.text())
    signed_twice = note + stranger.sign(HEAD.text()).rpartition("\n\n")[2]

    assert Checkpoint.parse(open_note(note, [SIGNER.key])) == HEAD
    assert Checkpoint.parse(open_note(signed_twice, [SIGNER.key])) == HEAD
    assert Checkpoint.parse(open_note(signed_twice, [stranger.key])) == HEAD
    with pytest.raises(NoteRefused, match="none of the known keys"):
        open_note(note, [stranger.key])


def test_no_byte_of_a_note_can_be_changed() -> None:
    note = SIGNER.sign(HEAD.text()).encode()
    for at in range(len(note)):
        for bit in range(8):
            changed = bytearray(note)
            changed[at] ^= 1 << bit
            with pytest.raises((NoteRefused, UnicodeDecodeError)):
                open_note(changed.decode(), [SIGNER.key])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        "origin\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "origin\n1\nshort\n",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        C2SP_TEXT + "more\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        Checkpoint.parse(text)


@pytest.mark.parametrize("spelled", ["", "a+b", GO_KEY.replace("c74f", "c74e"), GO_KEY[:-4]])
def test_what_is_no_key_is_refused(spelled: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        NoteKey.parse(spelled)
    with pytest.raises(ValueError, match=r".*"):
        read_seed(spelled)


def test_a_name_with_a_space_cannot_sign() -> None:
    with pytest.raises(ValueError, match="name"):
        NoteSigner("my log", bytes(32))
