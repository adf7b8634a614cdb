"""The dispatcher's rows in the model: what each statement of the protocol may do to them.

A method is one transaction, so nothing happens in the middle of it.
"""

from collections import Counter
from dataclasses import dataclass, field

LEASE = 6.0

NEXT = {
    "queued": {"claimed", "cancelled", "partial", "sent"},
    "claimed": {"sending", "queued", "cancelled", "withheld", "partial", "sent"},
    "sending": {"sent", "refused", "unknown", "queued", "partial"},
    "sent": {"delivered"},
    "unknown": {"sent", "refused", "partial", "queued"},
    "partial": {"sent"},
    "delivered": set(),
    "refused": set(),
    "cancelled": set(),
    "withheld": set(),
}
"""Where a message may go; from queued, claimed or unknown to sent leads only a late truth."""

UNFINISHED = frozenset({"queued", "claimed", "sending"})


@dataclass(slots=True, eq=False)
class Message:
    """A message's row; `made` and `claimed` are the ledger's sequence at those moments."""

    person: int
    lane: int
    parts: int
    made: int
    status: str = "queued"
    epoch: int = 0
    claimed: int = 0
    part: int = 0
    attempt: "Attempt | None" = None
    sent: set[int] = field(default_factory=set)
    receipts: set[int] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Attempt:
    """One intent to hand one part to the platform; `outcome` is the last word about it."""

    message: Message
    part: int
    epoch: int
    outcome: str | None = None

    @property
    def flying(self) -> bool:
        """Whether halt still has to wait for it."""
        return self.message.attempt is self and self.message.status == "sending"


@dataclass(slots=True, eq=False)
class Lane:
    """One sending account, and what its platform does."""

    kind: str
    owner: int | None = None
    epoch: int = 0
    until: float = -1.0

    @property
    def removes_doubles(self) -> bool:
        """The receiver knows a repeat by our id, so an unknown part may be sent again."""
        return self.kind == "removes doubles"


class Rows:
    """The tables, with the statements that the protocol allows; `mutant` breaks one of them."""

    def __init__(self, lanes: list[Lane], mutant: str | None) -> None:
        """Start with no messages."""
        self.lanes, self.mutant = lanes, mutant
        self.messages: list[Message] = []
        self.accepted = 0
        self.totals: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.early: set[Attempt] = set()

    def accept(self, message: Message) -> None:
        """Take a new message into the books."""
        self.messages.append(message)
        self.accepted += 1
        self.totals["queued"] += 1

    def move(self, message: Message, status: str) -> None:
        """Change a status, and the totals with it."""
        if status not in NEXT[message.status]:
            self.faults["illegal"] += 1
        self.totals[message.status] -= 1
        self.totals[status] += 1
        message.status = status

    def end(self, message: Message, status: str) -> None:
        """End a message: something that was sent in part is `partial`, whatever ended it."""
        self.move(message, "partial" if message.sent else status)

    # --- lanes -----------------------------------------------------------------------------------

    def renew(self, number: int, owner: int, epoch: int, now: float) -> bool:
        """Prolong a lease that is still one's own; one that ran out can only be taken anew."""
        lane = self.lanes[number]
        if (lane.owner, lane.epoch) != (owner, epoch) or lane.until < now:
            return False
        lane.until = now + LEASE
        return True

    def take_over(self, number: int, owner: int, now: float) -> int | None:
        """Own a lane whose lease ran out; what its last owner left is queued again, or unknown."""
        lane = self.lanes[number]
        grace = 4.0 if self.mutant == "takeover_too_early" else 0.0
        if lane.until - grace >= now:
            return None
        lane.owner, lane.epoch, lane.until = owner, lane.epoch + 1, now + LEASE
        for message in self.messages:
            if message.lane != number:
                continue
            if message.status == "claimed" and self.mutant != "takeover_forgets_claimed":
                self.move(message, "queued")
            elif message.status == "sending" and self.mutant != "takeover_forgets_sending":
                self.lose_sight_of(message)
        return lane.epoch

    def lose_sight_of(self, message: Message) -> None:
        """The part may have been taken: the message ends, or goes again where doubles go."""
        if self.mutant == "unknown_part_goes_on" and message.part + 1 < message.parts:
            message.part += 1
            self.move(message, "queued")
        elif self.lanes[message.lane].removes_doubles or self.mutant == "unknown_is_requeued":
            self.move(message, "queued")
        else:
            self.end(message, "unknown")

    # --- a message's life ------------------------------------------------------------------------

    def claim(self, number: int, owner: int, epoch: int, *, sequence: int) -> list[Message]:
        """Claim a few of a lane's queued messages; only its owner may."""
        lane = self.lanes[number]
        if (lane.owner, lane.epoch) != (owner, epoch) and self.mutant != "stale_claim":
            return []
        batch = [m for m in self.messages if m.lane == number and m.status == "queued"][:3]
        for message in batch:
            self.move(message, "claimed")
            message.epoch, message.claimed = epoch, sequence
        return batch

    def is_held(self, message: Message, epoch: int) -> bool:
        """Whether a message is still claimed under that epoch: the condition of every next step."""
        same = message.epoch == epoch or self.mutant == "intent_ignores_epoch"
        return message.status == "claimed" and same

    def intend(self, group: list[Message], epoch: int) -> list[Attempt]:
        """Commit to send one part of each; what was cancelled meanwhile does not come back."""
        attempts = []
        for message in group:
            if self.mutant != "blind_intent" and not self.is_held(message, epoch):
                continue
            self.move(message, "sending")
            message.attempt = Attempt(message, message.part, epoch)
            attempts.append(message.attempt)
            if self.mutant == "intent_for_all_parts_at_once":
                later = range(message.part + 1, message.parts)
                attempts += [Attempt(message, part, epoch) for part in later]
        return attempts

    def settle(self, attempt: Attempt, outcome: str) -> None:
        """Write down what became of an attempt, by its id; a repeat changes nothing."""
        message = attempt.message
        attempt.outcome = outcome
        if outcome == "sent":
            message.sent.add(attempt.part)
            if attempt in self.early:
                self.note_receipt(attempt)
        if attempt.flying or (self.mutant == "settled_by_message" and message.status == "sending"):
            self.settle_flying(message, outcome)
        elif message.attempt is attempt and message.part == attempt.part:
            self.settle_late(message, outcome)
        elif self.mutant == "repeat_is_counted":
            self.totals[message.status] += 1

    def settle_flying(self, message: Message, outcome: str) -> None:
        """Go on with a message whose attempt is the current one."""
        match outcome:
            case "sent":
                self.advance(message)
            case "again":
                self.move(message, "queued")
            case "refused":
                self.end(message, "refused")
            case _:
                self.lose_sight_of(message)

    def settle_late(self, message: Message, outcome: str) -> None:
        """Take the truth about a part that was given up as unknown, or is about to go again."""
        if message.status in ("unknown", "partial"):
            if outcome == "sent" and len(message.sent) == message.parts:
                self.move(message, "sent")
            elif message.status == "unknown" and outcome != "unknown":
                self.end(message, "refused")
        elif message.status in ("queued", "claimed") and outcome == "sent":
            self.advance(message)

    def advance(self, message: Message) -> None:
        """One part more was sent: the next one starts from the queue, so it is asked for anew."""
        if self.mutant != "part_not_advanced":
            message.part += 1
        if message.part == message.parts:
            self.move(message, "sent")
            self.finish(message)
        elif message.status != "queued":
            self.move(message, "queued")

    def note_receipt(self, attempt: Attempt) -> None:
        """Match a receipt to its part; one that comes before its settlement is kept."""
        if attempt.outcome != "sent":
            if self.mutant != "early_receipt_dropped":
                self.early.add(attempt)
            return
        attempt.message.receipts.add(attempt.part)
        self.finish(attempt.message)

    def finish(self, message: Message) -> None:
        """Call a message delivered when all of its parts are."""
        if message.status == "sent" and len(message.receipts) == message.parts:
            self.move(message, "delivered")

    def halt(self, person: int, sequence: int) -> list[Attempt]:
        """Cancel what waits for a person; return what flies. A later grant's rows stay."""
        for message in self.messages:
            if message.person != person or message.status not in ("queued", "claimed"):
                continue
            claimed = message.claimed if message.status == "claimed" else 0
            later = max(message.made, claimed) >= sequence
            if later and self.mutant != "halt_touches_later_rows":
                continue
            if message.status == "claimed" and self.mutant == "halt_forgets_claimed":
                continue
            self.faults["unfair"] += later
            self.end(message, "cancelled")
        mine = (m.attempt for m in self.messages if m.person == person and m.status == "sending")
        return [attempt for attempt in mine if attempt is not None]
