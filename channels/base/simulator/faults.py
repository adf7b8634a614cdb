"""Faults on demand: what a platform does wrong, how often, and to whom."""

import random
from dataclasses import dataclass, field
from typing import Literal, get_args

FaultKind = Literal[
    "rate_limited",  # 429 with a wait
    "down",  # 503 after the request was read
    "slow",  # taken and answered only after some seconds
    "blocked",  # this person blocked the account
    "gone",  # this person's account no longer exists
    "bad_content",  # the platform will take this from nobody
    "bad_account",  # our credentials are no longer valid
    "answer_lost",  # taken, then the connection closes without an answer
]
KINDS: tuple[str, ...] = get_args(FaultKind)


@dataclass(slots=True)
class Fault:
    """One fault, for the calls it matches."""

    kind: str
    account: str | None = None
    address: str | None = None
    methods: frozenset[str] | None = None
    """Lower-case names; none means the methods that put something on a phone."""
    rate: float = 1.0
    """The part of the matching calls that is hit, 0–1."""
    left: int | None = None
    """How many calls it will still hit; none means no end."""
    retry_after: int = 7
    seconds: float = 2.0
    """How long `slow` takes."""

    def __post_init__(self) -> None:
        """Refuse what could never hit."""
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault {self.kind!r}; known: {', '.join(KINDS)}")
        if not 0 < self.rate <= 1:
            raise ValueError("rate is a part of the calls: above 0, at most 1")
        if self.left is not None and self.left < 1:
            raise ValueError("count is at least 1")

    def matches(self, *, account: str, method: str, address: str | None, message: bool) -> bool:
        """Tell whether this call is one that the fault is about."""
        if self.methods is not None:
            about = "*" in self.methods or method.lower() in self.methods
        else:
            # A revoked credential fails every call, so this one fault is not about messages alone.
            about = message or self.kind == "bad_account"
        return (
            about
            and (self.account is None or self.account == account)
            and (self.address is None or self.address == address)
        )


@dataclass(slots=True)
class Faults:
    """All faults of one platform, first come first served."""

    active: list[Fault] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311  (repeatable on purpose)

    def add(self, fault: Fault) -> None:
        """Let this fault happen from now on."""
        self.active.append(fault)

    def clear(self) -> None:
        """End every fault."""
        self.active.clear()

    def draw(
        self, *, account: str, method: str, address: str | None, message: bool
    ) -> Fault | None:
        """Return the fault that hits this call, and count it."""
        for fault in self.active:
            if not fault.matches(account=account, method=method, address=address, message=message):
                continue
            if fault.rate < 1 and self.chance.random() >= fault.rate:
                continue
            if fault.left is not None:
                fault.left -= 1
                if not fault.left:
                    self.active.remove(fault)
            return fault
        return None
