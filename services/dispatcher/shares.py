"""Who gets which variant, and who is held out: by a hash of the campaign and the person. Pure.

The same person always falls into the same share, whatever page or account they are met on and
whoever asks. The registry counts shares by the same rule (`services.consent.queries.audience`).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import Any
from uuid import UUID

_WHOLE = 2**32
HOLD_OUT = "hold_out"
"""Why those are withheld from who get nothing, to compare with."""


@dataclass(frozen=True, slots=True)
class Shares:
    """How a campaign's people are split: the hold-out first, then the variants in their order."""

    key: UUID
    edges: tuple[int, ...]
    """Where each share but the first begins, of 0 to 2**32."""
    variants: tuple[str | None, ...]
    """What each share gets, if it is no hold-out."""
    holds_out: bool
    """The first share gets nothing."""

    @property
    def single(self) -> bool:
        """Everybody gets the same."""
        return not self.edges

    def of(self, person_id: UUID) -> int:
        """Return the share of a person."""
        if not self.edges:
            return 0
        drawn = sha256(self.key.bytes + person_id.bytes).digest()
        return bisect_right(self.edges, int.from_bytes(drawn[:4]))

    def held_out(self, share: int) -> bool:
        """Say whether a share gets nothing."""
        return self.holds_out and share == 0

    def variant(self, share: int) -> str | None:
        """Return the variant that a share gets; none where there are none, or it gets nothing."""
        return self.variants[share]


def shares_of(campaign_id: UUID, hold_out: float, variants: Sequence[Mapping[str, Any]]) -> Shares:
    """Return the split of a campaign, as it is stored."""
    weights = [each["weight"] for each in variants] or [1]
    names: list[str | None] = [each["name"] for each in variants] or [None]
    held = round(hold_out * _WHOLE)
    total = sum(weights)
    begins = [held + (_WHOLE - held) * done // total for done in (0, *accumulate(weights[:-1]))]
    if hold_out:
        return Shares(campaign_id, tuple(begins), (None, *names), True)
    return Shares(campaign_id, tuple(begins[1:]), tuple(names), False)
