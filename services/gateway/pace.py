"""How fast one caller may call: a bucket of tokens for each, in each gateway process.

It protects the house from a runaway loop, and links from being tried out; what a platform allows is
paced by the dispatcher. With several gateway processes a caller may do as much on each of them.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from shared import clock

_LARGEST = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left for a caller after this call."""

    allowed: bool
    remaining: int
    wait: int
    """Seconds until the next call is allowed (if it was not), or until the bucket is full."""
    policy: str

    def headers(self) -> dict[str, str]:
        """Return it as headers (draft-ietf-httpapi-ratelimit-headers)."""
        headers = {
            "RateLimit-Policy": self.policy,
            "RateLimit": f'"key";r={self.remaining};t={self.wait}',
        }
        return headers if self.allowed else {**headers, "Retry-After": str(self.wait)}


class Pace:
    """The buckets of those who called lately: ten thousand, and the longest silent goes first."""

    def __init__(self, *, per_second: float, burst: int) -> None:
        """Fill each bucket with `per_second` up to `burst`."""
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()
        window = max(1, math.ceil(burst / per_second))
        self._policy = f'"key";q={burst};w={window}'

    def take(self, who: Hashable) -> Allowance:
        """Take one token, if there is one."""
        now = clock.ticks()
        bucket = self._buckets.pop(who, None) or _Bucket(self._burst, now)
        self._buckets[who] = bucket
        if len(self._buckets) > _LARGEST:
            self._buckets.popitem(last=False)
        bucket.tokens = min(
            self._burst, bucket.tokens + max(0.0, now - bucket.at) * self._per_second
        )
        bucket.at = now
        allowed = bucket.tokens >= 1
        if allowed:
            bucket.tokens -= 1
        missing = self._burst - bucket.tokens if allowed else 1 - bucket.tokens
        wait = max(0 if allowed else 1, math.ceil(missing / self._per_second))
        return Allowance(allowed, int(bucket.tokens), wait, self._policy)
