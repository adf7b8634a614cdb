"""Evidence under seal: it is for those who must prove a consent, not for who reads a disk."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import orjson

from shared.contracts.consent import Evidence, Reached
from shared.security.sealing import SealBroken, Sealer

_SALT = 32


@dataclass(frozen=True, slots=True)
class Sealed:
    """The personal half of a ledger's line: how it was said, and where it holds."""

    evidence: Evidence
    reaches: tuple[Reached, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a line is about."""

    person_id: UUID
    channel: str
    address: str


@dataclass(frozen=True, slots=True)
class Half:
    """The personal half as it is stored, and what the log says of it."""

    sealed: bytes
    commitment: bytes
    """SHA-256 of what was sealed. Its salt is in there too, and is lost with the key."""


class Evidences:
    """Seals and opens the personal half of each line, bound to its brand and its id."""

    def __init__(self, sealer: Sealer) -> None:
        """Use the service's own keys."""
        self._sealer = sealer

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
        sealed = self._sealer.seal(plain, context=_context(brand_id, event_id))
        return Half(sealed, sha256(plain).digest())

    def reveal(self, sealed: bytes, *, brand_id: UUID, event_id: UUID) -> str | None:
        """Return byte for byte what was sealed, its salt too; none when no key opens it any more.

        Whoever is shown it can check it against the line's commitment.
        """
        try:
            return self._sealer.open(sealed, context=_context(brand_id, event_id)).decode()
        except SealBroken:
            return None

    def open(self, sealed: bytes, *, brand_id: UUID, event_id: UUID) -> Sealed:
        """Return what was sealed, or raise `SealBroken`."""
        plain = orjson.loads(self._sealer.open(sealed, context=_context(brand_id, event_id)))
        return Sealed(
            Evidence.model_validate(plain["evidence"]),
            tuple(Reached.model_validate(each) for each in plain["reaches"]),
        )


def _context(brand_id: UUID, event_id: UUID) -> str:
    return f"{brand_id}|event|sealed|{event_id}"
