"""Evidence under seal: it is for those who must prove a consent, not for who reads a disk.

    1 byte version (2) | 12 nonce | ciphertext, tag      AES-256-GCM under the key of the person

The personal half of a line is bound to its brand and its id. The person's key is a row of its own,
wrapped by the service's sealing keys: those are rotated by wrapping the row anew, and no stored
half ever changes. Whoever destroys the row has destroyed every half that is under it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import asyncpg
import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.consent.queries import person_keys as queries
from shared.contracts.consent import Evidence, Reached
from shared.security.sealing import SealBroken, Sealer

_SALT = 32
_KEY = 32
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

    def _plain(self, sealed: bytes, person_id: UUID, context: bytes) -> dict[str, dict[str, str]]:
        if person_id not in self._keys or sealed[:1] != _VERSION:
            raise SealBroken("the person's key is gone, or this is no sealed half")
        nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
        try:
            plain: dict[str, dict[str, str]] = orjson.loads(
                self._keys[person_id].decrypt(nonce, rest, context)
            )
        except (InvalidTag, ValueError) as error:
            raise SealBroken("sealed value cannot be opened") from error
        return plain


class Evidences:
    """Brings the keys of persons, which are stored under the service's own."""

    def __init__(self, sealer: Sealer) -> None:
        """Use the service's own keys."""
        self._sealer = sealer

    async def of(
        self, connection: asyncpg.Connection, brand_id: UUID, people: Iterable[UUID]
    ) -> Halves:
        """Return what opens these people's halves; an erased person's is not among it."""
        wrapped = await queries.find(connection, brand_id, set(people))
        return Halves({who: self._unwrap(key, brand_id, who) for who, key in wrapped.items()})

    async def under(
        self, connection: asyncpg.Connection, brand_id: UUID, people: Iterable[UUID]
    ) -> Halves:
        """Return what seals these people's halves; who has no key yet gets one.

        The people must be locked, so that each is given one key and keeps it.
        """
        asked = set(people)
        wrapped = await queries.find(connection, brand_id, asked)
        keys = {who: self._unwrap(key, brand_id, who) for who, key in wrapped.items()}
        made = {who: os.urandom(_KEY) for who in asked - keys.keys()}
        if made:
            stored = {
                who: self._sealer.seal(key, context=_key_context(brand_id, who))
                for who, key in made.items()
            }
            await queries.add(connection, brand_id, stored)
        return Halves({**keys, **{who: AESGCM(key) for who, key in made.items()}})

    def is_current(self, wrapped: bytes) -> bool:
        """Is a person's key under the newest of the service's keys?"""
        return self._sealer.is_current(wrapped)

    def rewrap(self, wrapped: bytes, *, brand_id: UUID, person_id: UUID) -> bytes:
        """Return a person's key under the newest of the service's keys."""
        return self._sealer.rewrap(wrapped, context=_key_context(brand_id, person_id))

    def _unwrap(self, wrapped: bytes, brand_id: UUID, person_id: UUID) -> AESGCM:
        return AESGCM(self._sealer.open(wrapped, context=_key_context(brand_id, person_id)))


def _subject(plain: Mapping[str, Mapping[str, str]]) -> Subject:
    told = plain["subject"]
    return Subject(UUID(told["person_id"]), told["channel"], told["address"])


def _context(brand_id: UUID, event_id: UUID) -> bytes:
    return f"{brand_id}|event|sealed|{event_id}".encode()


def _key_context(brand_id: UUID, person_id: UUID) -> str:
    return f"{brand_id}|person_key|{person_id}"
