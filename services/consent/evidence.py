"""Evidence under seal: it is for those who must prove a consent, not for who reads a disk.

    1 byte version (2) | 12 nonce | ciphertext, tag      AES-256-GCM under the key of the person

The personal half of a line is bound to its brand and its id. The person's key is a row of its own,
wrapped by the service's sealing keys: those are rotated by wrapping the row anew, and no stored
half ever changes. Whoever destroys the row has destroyed every half that is under it.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.contracts.consent import Evidence, Reached
from shared.security.sealing import SealBroken

_SALT = 32
_NONCE = 12
_VERSION = b"\x02"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a line is about."""

    person_id: UUID
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class Sealed:
    """The personal half of a ledger's line: whom it is about, how it was said, where it holds."""

    subject: Subject
    evidence: Evidence
    reaches: tuple[Reached, ...] = ()


@dataclass(frozen=True, slots=True)
class Half:
    """The personal half as it is stored, and what the log says of it."""

    sealed: bytes
    commitment: bytes
    """SHA-256 of what was sealed. Its salt is in there too, and is lost with the key."""


class Halves:
    """Seals and opens the personal halves of some people's lines: those whose keys are at hand."""

    def __init__(self, keys: Mapping[UUID, AESGCM]) -> None:
        """Take the keys by person."""
        self._keys = keys

    def has(self, person_id: UUID) -> bool:
        """Is this person's key still there?"""
        return person_id in self._keys

    def seal(
        self,
        evidence: Evidence,
        reaches: Sequence[Reached],
        *,
        subject: Subject,
        brand_id: UUID,
        event_id: UUID,
    ) -> Half:
        """Return the line's sealed half, and the commitment to it."""
        plain = orjson.dumps(
            {
                "salt": os.urandom(_SALT).hex(),
                "subject": {
                    "person_id": str(subject.person_id),
                    "channel": subject.channel,
                    "address": subject.address,
                },
                "evidence": evidence.model_dump(mode="json", exclude_none=True),
                "reaches": [each.model_dump(mode="json") for each in reaches],
            }
        )
        nonce = os.urandom(_NONCE)
        context = _context(brand_id, event_id)
        sealed = self._keys[subject.person_id].encrypt(nonce, plain, context)
        return Half(_VERSION + nonce + sealed, sha256(plain).digest())

    def open(self, sealed: bytes, *, person_id: UUID, brand_id: UUID, event_id: UUID) -> Sealed:
        """Return what was sealed, or raise `SealBroken`: also where the key was destroyed."""
        plain = self._plain(sealed, person_id, _context(brand_id, event_id))
        return Sealed(
            _subject(plain),
            Evidence.model_validate(plain["evidence"]),
            tuple(Reached.model_validate(each) for each in plain["reaches"]),
        )

    def subject(self, sealed: bytes, *, person_id: UUID, brand_id: UUID, event_id: UUID) -> Subject:
        """Return whom a line is about, or raise `SealBroken`."""
        return _subject(self._plain(sealed, person_id, _context(brand_id, event_id)))

    def reveal(
        self, sealed: bytes, *, person_id: UUID, brand_id: UUID, event_id: UUID
    ) -> str | None:
        """Return byte for byte what was sealed, its salt too; none when no key opens it any more.

        Whoever is shown it can check it against the line's commitment.
        """
        try:
            return self._opened(sealed, person_id, _context(brand_id, event_id)).decode()
        except SealBroken:
            return None

    def _plain(self, sealed: bytes, person_id: UUID, context: bytes) -> dict[str, dict[str, str]]:
        plain: dict[str, dict[str, str]] = orjson.loads(self._opened(sealed, person_id, context))
        return plain

    def _opened(self, sealed: bytes, person_id: UUID, context: bytes) -> bytes:
        if person_id not in self._keys or sealed[:1] != _VERSION:
            raise SealBroken("the person's key is gone, or this is no sealed half")
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            return self._keys[person_id].decrypt(nonce, rest, context)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("sealed value cannot be opened") from error


def _subject(plain: Mapping[str, Mapping[str, str]]) -> Subject:
    told = plain["subject"]
    return Subject(UUID(told["person_id"]), told["channel"], told["address"])


def _context(brand_id: UUID, event_id: UUID) -> bytes:
    return f"{brand_id}|event|sealed|{event_id}".encode()
