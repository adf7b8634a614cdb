"""Evidence under seal: it is for those who must prove a consent, not for who reads a disk."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

from shared.contracts.consent import Evidence, Reached
from shared.security.sealing import Sealer


@dataclass(frozen=True, slots=True)
class Sealed:
    """The personal half of a ledger's line: how it was said, and where it holds."""

    evidence: Evidence
    reaches: tuple[Reached, ...] = ()


class Evidences:
    """Seals and opens the personal half of each line, bound to its brand and its id."""

    def __init__(self, sealer: Sealer) -> None:
        """Use the service's own keys."""
        self._sealer = sealer

    def seal(
        self, evidence: Evidence, reaches: Sequence[Reached], *, brand_id: UUID, event_id: UUID
    ) -> bytes:
        """Return the line's sealed half."""
        plain = {
            "evidence": evidence.model_dump(mode="json", exclude_none=True),
            "reaches": [each.model_dump(mode="json") for each in reaches],
        }
        return self._sealer.seal(orjson.dumps(plain), context=_context(brand_id, event_id))

    def open(self, sealed: bytes, *, brand_id: UUID, event_id: UUID) -> Sealed:
        """Return what was sealed, or raise `SealBroken`."""
        plain = orjson.loads(self._sealer.open(sealed, context=_context(brand_id, event_id)))
        return Sealed(
            Evidence.model_validate(plain["evidence"]),
            tuple(Reached.model_validate(each) for each in plain["reaches"]),
        )


def _context(brand_id: UUID, event_id: UUID) -> str:
    return f"{brand_id}|event|sealed|{event_id}"
