"""Checkpoints: a tree's head as a text that its log has signed, in the forms of C2SP.

    aurora.example/log            origin: which log
    4711                          how many leaves
    CsUYapGGPo4dkMgIAUqom/Xa…     the root's hash
                                  an empty line, and the signatures
    — aurora.example/log Az3grlgtzPIC…

https://c2sp.org/tlog-checkpoint, https://c2sp.org/signed-note (Ed25519, type 1).
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_DASH = "— "
_NAME = re.compile(r"[^\s+]+\Z")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\Z")
_MOST_SIGNATURES = 32
_SEED = 32
_ROOT = 32


class NoteRefused(Exception):
    """The note is none, or nobody whom we trust has signed it; the text says which."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key and the name that it signs under, spelled `name+hash+key` as Go's tools do."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys apart."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key; raise ValueError for anything else."""
        # From the right is wrong: base64 has a plus too.
        name, id, key = text.strip().split("+", 2)
        raw = b64decode(key, validate=True)
        found = cls(name, raw[1:])
        if raw[:1] != _ED25519 or len(found.public) != _SEED or str(found) != text.strip():
            raise ValueError(f"{name} is no Ed25519 key with the id {id}")
        return found


class NoteSigner:
    """Signs notes under one name."""

    def __init__(self, name: str, seed: bytes) -> None:
        """Take an Ed25519 seed; raise ValueError for a name that no note can have."""
        if not _NAME.match(name):
            raise ValueError("a note's key has a name without spaces and plus")
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = NoteKey(name, self._private.public_key().public_bytes_raw())

    def sign_bytes(self, signed: bytes) -> bytes:
        """Return the bare signature of something that is no note."""
        return self._private.sign(signed)

    def sign(self, text: str) -> str:
        """Return the text with its signature."""
        signature = b64encode(self.key.id + self._private.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.key.name} {signature}\n"


def read_seed(text: str) -> bytes:
    """Return the seed that a setting spells in base64 of either alphabet; ValueError otherwise."""
    padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
    seed = b64decode(padded, validate=True)
    if len(seed) != _SEED:
        raise ValueError("an Ed25519 seed has 32 bytes")
    return seed


def open_note(note: str, keys: Iterable[NoteKey]) -> str:
    """Return the text that at least one of the keys has signed; raise `NoteRefused` otherwise."""
    text, _, signatures = note.rpartition("\n\n")
    lines = signatures.split("\n")
    if not text or lines.pop() != "" or not 0 < len(lines) <= _MOST_SIGNATURES:
        raise NoteRefused("this is no signed note")
    known = {(key.name, key.id): key for key in keys}
    signed = False
    for line in lines:
        name, id, signature = _signature(line)
        if key := known.get((name, id)):
            _check(key, f"{text}\n", signature)
            signed = True
    if not signed:
        raise NoteRefused("none of the known keys has signed it")
    return f"{text}\n"


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, spelled = line.removeprefix(_DASH).partition(" ")
    try:
        raw = b64decode(spelled, validate=True)
    except binascii.Error as error:
        raise NoteRefused("a signature is not base64") from error
    # Base64 may hide a few bits that nobody reads: there is one spelling, and no other.
    strict = b64encode(raw).decode() == spelled and line.startswith(_DASH)
    if not strict or not _NAME.match(name) or len(raw) < 5:
        raise NoteRefused("this is no signature line")
    return name, raw[:4], raw[4:]


def _check(key: NoteKey, text: str, signature: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
    except InvalidSignature as error:
        raise NoteRefused(f"the signature of {key.name} is wrong") from error


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log at one size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text to sign."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a note; raise `NoteRefused` unless `text()` spells it the same way."""
        lines = text.split("\n")
        if len(lines) != 4 or not _SIZE.match(lines[1]):
            raise NoteRefused("this is no checkpoint")
        try:
            found = cls(lines[0], int(lines[1]), b64decode(lines[2], validate=True))
        except binascii.Error as error:
            raise NoteRefused("the root is not base64") from error
        if not found.origin or len(found.root) != _ROOT or found.text() != text:
            raise NoteRefused("this is no checkpoint")
        return found
