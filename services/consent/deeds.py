"""What each kind of event does once its person is locked: the line, and what follows from it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from services.consent import policy, terms
from services.consent.answers import seen_again
from services.consent.evidence import Halves, Subject
from services.consent.moments import as_utc
from services.consent.queries import ledger, people, questions
from services.consent.queries.ledger import Entry, Situation
from services.consent.queries.people import Place
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, Heard, Reached, Scope


@dataclass(frozen=True, slots=True)
class Case:
    """One event, whom it is about, and how things stand for them."""

    connection: asyncpg.Connection
    evidences: Halves
    event: ConsentEventIn
    place: Place
    person_id: UUID
    situation: Situation
    heard: Heard | None = None
    """What the person's words were understood as, where they were."""
    action: str | None = None
    """What the line calls it, where that is not what the event does."""

    @property
    def at(self) -> datetime | None:
        """When it happened, if that was told and can be true."""
        told = as_utc(self.event.evidence.at)
        return policy.believed(told, recorded_at=self.situation.now)

    @property
    def spoken(self) -> bool:
        """The person said it in the chat of this account."""
        return policy.spoken(self.event.evidence.source)


async def grant(case: Case, outcome: Literal["granted", "pending"] = "granted") -> ConsentRecorded:
    """A yes: counts unless a later no covers it, or it has run out already.

    One that is `pending` waits for its second half, and permits nothing until then.
    """
    situation = case.situation
    expires_at = _end(case, outcome)
    reason = None
    if expires_at is not None and expires_at <= situation.now:
        reason = "expired"
    elif not policy.grants_again(case.at, denied_at=situation.denied_at):
        reason = "older_than_revocation"
    if reason is not None:
        await know(case, blocked_at=situation.blocked_at)
        return await append(case, line(case, "unchanged", reason=reason))
    # Whoever says yes in the chat can be reached there again.
    blocked_at = None if case.spoken else situation.blocked_at
    await know(case, blocked_at=blocked_at)
    entry = line(case, outcome, expires_at=expires_at)
    recorded = await append(case, entry)
    await ledger.grant(
        case.connection,
        entry,
        seq=recorded.seq,
        blocked=blocked_at is not None,
        ask_at=None if outcome == "pending" else _ask_at(case, expires_at),
    )
    await tell(case, recorded, f"consent.{outcome}")
    return recorded


def _end(case: Case, outcome: str) -> datetime | None:
    """Return when the yes ends. What is pending is good for nothing yet: its second half counts."""
    told = as_utc(case.event.expires_at)
    if outcome == "pending":
        return told
    place = case.place
    chosen = place.policy.expires_after_days
    lasts = terms.good_for(case.event.purpose, country=place.country, chosen=chosen)
    return terms.end(case.situation.now, told=told, lasts=lasts)


def _ask_at(case: Case, expires_at: datetime | None) -> datetime | None:
    """Return when to ask whether to go on."""
    if expires_at is None:
        return None
    now = case.situation.now
    days = case.place.policy.refresh_days
    after = terms.ask_after(case.event.purpose, lasts=expires_at - now, days=days)
    return None if after is None else now + after


async def revoke(case: Case) -> ConsentRecorded:
    """A no: holds wherever it reaches, from now on."""
    event = case.event
    scope = policy.held_scope(event.scope, country=case.place.country, source=event.evidence.source)
    await know(case, blocked_at=case.situation.blocked_at)
    purposes = policy.revoked_purposes(scope, event.purpose)
    recorded = await _deny(case, scope, purposes, reason=event.reason)
    await tell(case, recorded, "consent.revoked")
    return recorded


async def block(case: Case) -> ConsentRecorded:
    """A no that was said to the platform: as a revocation of the account, and out of reach."""
    before = case.situation.blocked_at
    at = case.at or case.situation.now
    await know(case, blocked_at=at if before is None else max(at, before))
    purposes = policy.revoked_purposes(Scope.ACCOUNT, policy.MARKETING)
    recorded = await _deny(case, Scope.ACCOUNT, purposes, reason="blocked")
    if before is None:
        await tell(case, recorded, "consent.revoked")
    return recorded


async def unblock(case: Case) -> ConsentRecorded:
    """In reach again, unless the block is the later word; never a yes."""
    blocked_at = case.situation.blocked_at
    if not policy.grants_again(case.at, denied_at=blocked_at):
        return await append(case, line(case, "unchanged", reason="older_than_block"))
    await know(case, blocked_at=None)
    return await append(case, line(case, "unchanged"))


async def see(case: Case) -> ConsentRecorded:
    """Known from now on; nothing agreed. Only the first sight of an address is a line."""
    situation = case.situation
    await know(case, blocked_at=situation.blocked_at, seen=True)
    if situation.known_since is not None:
        return seen_again(case.event, case.person_id, situation.known_since)
    return await append(case, line(case, "unchanged"))


async def note(case: Case, *, reason: str | None = None) -> ConsentRecorded:
    """Write it down; nothing changes by it."""
    return await append(case, line(case, "unchanged", reason=reason))


DEEDS: Mapping[str, Callable[[Case], Awaitable[ConsentRecorded]]] = {
    "grant": grant,
    "revoke": revoke,
    "block": block,
    "unblock": unblock,
    "seen": see,
}


async def _deny(
    case: Case, scope: Scope, purposes: tuple[str, ...], *, reason: str | None = None
) -> ConsentRecorded:
    reach = policy.reach(scope)
    found = await ledger.find_reaches(
        case.connection, case.place, person_id=case.person_id, reach=reach
    )
    reaches = tuple(
        Reached(account_id=account_id, address=address, purposes=purposes)
        for account_id, address in found
    )
    entry = line(case, "revoked", reason=reason, scope=scope, purposes=purposes, reaches=reaches)
    recorded = await append(case, entry, reaches)
    await ledger.revoke(case.connection, entry, seq=recorded.seq, reach=reach)
    await questions.close(
        case.connection, case.place, person_id=case.person_id, reach=reach, purposes=purposes
    )
    at = case.at or case.situation.now
    await ledger.deny(case.connection, entry, seq=recorded.seq, reach=reach, at=at)
    return recorded


async def know(case: Case, *, blocked_at: datetime | None, seen: bool = False) -> None:
    """Remember the address; let its states know when its reachability changes."""
    situation = case.situation
    await people.know_address(
        case.connection,
        case.place,
        person_id=case.person_id,
        seen_at=situation.now if seen or case.spoken else None,
        blocked_at=blocked_at,
    )
    if (blocked_at is None) != (situation.blocked_at is None):
        await ledger.set_blocked(
            case.connection,
            case.place,
            person_id=case.person_id,
            blocked=blocked_at is not None,
        )


async def tell(case: Case, recorded: ConsentRecorded, type: str) -> None:
    """Let the brand hear of it."""
    await ledger.tell(
        case.connection,
        seq=recorded.seq,
        brand_id=case.event.brand_id,
        event_id=recorded.id,
        type=type,
    )


def line(
    case: Case,
    outcome: str,
    *,
    reason: str | None = None,
    expires_at: datetime | None = None,
    scope: Scope | None = None,
    purposes: tuple[str, ...] | None = None,
    reaches: tuple[Reached, ...] = (),
) -> Entry:
    """Return the line of the ledger that this case becomes."""
    event = case.event
    evidence = event.evidence
    if event.action == "seen":
        # Their words agree to nothing, so they are evidence of nothing.
        evidence = evidence.model_copy(update={"text": None, "raw": None})
    evidence = evidence.model_copy(update={"uses": event.uses})
    half = case.evidences.seal(
        evidence,
        reaches,
        subject=Subject(case.person_id, case.place.channel, case.place.address),
        brand_id=event.brand_id,
        event_id=event.id,
    )
    return Entry(
        id=event.id,
        place=case.place,
        person_id=case.person_id,
        action=case.action or event.action,
        purpose=event.purpose,
        scope=event.scope,
        held_scope=scope or event.scope,
        purposes=purposes or (event.purpose,),
        sealed=half.sealed,
        commitment=half.commitment,
        platform_at=as_utc(evidence.at),
        recorded_at=case.situation.now,
        expires_at=expires_at,
        outcome=outcome,
        reason=reason,
        uses=event.uses,
    )


async def append(case: Case, entry: Entry, reaches: tuple[Reached, ...] = ()) -> ConsentRecorded:
    """Write a line down, and return what its caller is told."""
    return ConsentRecorded(
        id=entry.id,
        seq=await ledger.append(case.connection, entry),
        person_id=entry.person_id,
        state=entry.outcome,
        reason=entry.reason,
        effective_at=entry.recorded_at,
        paused_until=entry.expires_at if entry.outcome == "paused" else None,
        reaches=reaches,
    )
