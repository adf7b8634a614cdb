"""Pauses: how they begin, what ends them, and what a yes or a no does to them.

    asked       "pause 30 days": ends by itself, by a START, or gives way to a no
    doubtful    words that may have been a no: ends by a decision, a STOP or a START; nobody decided
                in time → it was a no

A state says until when it is paused: it is reckoned anew whenever one of the person's pauses
changes, and a yes during a pause takes it over, each in the transaction of the line.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from services.consent import deeds, optin, policy
from services.consent.deeds import Case, append, know, line, tell
from services.consent.moments import as_utc
from services.consent.queries import ledger, pauses, reviews
from services.consent.queries.pauses import Kind, Pause
from shared.contracts.consent import ConsentRecorded, Reached
from shared.contracts.reviews import Decision
from shared.ids import derived_id


async def pause(case: Case) -> ConsentRecorded:
    """Not now: nothing of marketing until it ends. A second one can only lengthen the first."""
    if case.heard is not None and case.heard.meaning == "doubtful":
        return await _doubt(case)
    now = case.situation.now
    days = case.heard.days if case.heard is not None else None
    until = policy.pause_end(now, days=days, until=as_utc(case.event.until))
    if until <= now:
        return await append(case, line(case, "unchanged", reason="expired"))
    found = await _covering(case)
    until = max([until, *(each.until for each in found if each.until is not None)])
    recorded, _ = await _begin(case, "asked", until=until, due_at=until)
    await tell(case, recorded, "consent.paused")
    return recorded


async def resume(case: Case) -> ConsentRecorded:
    """Go on: whatever was granted before counts again; nothing else does."""
    found = _earlier(case, await _covering(case))
    if (review_id := case.event.review_id) is not None:
        found = [each for each in found if each.event_id == review_id]
    if not found:
        return await append(case, line(case, "unchanged", reason="not_paused"))
    return await go_on(case, found)


async def grant(case: Case) -> ConsentRecorded:
    """A yes. The person's own, in the chat, ends a pause too; a yes that held just goes on."""
    if not case.spoken or case.event.purpose != policy.MARKETING:
        return await optin.grant(case)
    found = await _covering(case)
    if len(_earlier(case, found)) < len(found):
        return await append(case, line(case, "unchanged", reason="older_than_pause"))
    if found and await pauses.holds(case.connection, case.place):
        await know(case, blocked_at=None)
        return await go_on(case, found)
    recorded = await optin.grant(case)
    if found and recorded.state != "unchanged":
        event = case.event.model_copy(update={"id": derived_id(case.event.id, "resume")})
        await go_on(replace(case, event=event), found)
    return recorded


async def revoke(case: Case) -> ConsentRecorded:
    """A no. It takes the place of the pauses that it covers: a later yes finds none of them."""
    review_id = case.event.review_id
    if review_id is not None and not await _is_open(case, review_id):
        return await append(case, line(case, "unchanged", reason="decided_before"))
    recorded = await deeds.revoke(case)
    event = case.event
    scope = policy.held_scope(event.scope, country=case.place.country, source=event.evidence.source)
    if policy.MARKETING in policy.revoked_purposes(scope, event.purpose):
        found = await pauses.within(
            case.connection, case.place, person_id=case.person_id, reach=policy.reach(scope)
        )
        await _end(case, found, "revoke")
    return recorded


async def decline(case: Case) -> ConsentRecorded:
    """The answer no to a question: a revocation on its account, with all that it covers."""
    recorded = await optin.decline(case)
    if any(policy.MARKETING in reached.purposes for reached in recorded.reaches):
        found = await pauses.within(
            case.connection, case.place, person_id=case.person_id, reach="account"
        )
        await _end(case, found, "revoke")
    return recorded


DEEDS: Mapping[str, Callable[[Case], Awaitable[ConsentRecorded]]] = {
    **optin.DEEDS,
    "grant": grant,
    "revoke": revoke,
    "decline": decline,
    "pause": pause,
    "resume": resume,
}


async def go_on(case: Case, found: Sequence[Pause]) -> ConsentRecorded:
    """End pauses with a line that says so, and with news for the brand."""
    await _end(case, found, "resume")
    outcome = "granted" if await pauses.holds(case.connection, case.place) else "unchanged"
    drawn = line(replace(case, action="resume"), outcome, purposes=policy.MARKETING_LIKE)
    recorded = await append(case, drawn)
    await tell(case, recorded, "consent.resumed")
    return recorded


async def _doubt(case: Case) -> ConsentRecorded:
    """It may have been a no: pause, and let somebody look. Where nothing is sent, a sight."""
    place, person_id, now = case.place, case.person_id, case.situation.now
    event = case.event
    scope = policy.paused_scope(event.scope, country=place.country, source=event.evidence.source)
    in_doubt = any(each.kind == "doubtful" for each in await _covering(case))
    if in_doubt or not await pauses.any_granted(
        case.connection, place, person_id=person_id, reach=policy.reach(scope)
    ):
        return await deeds.see(replace(case, event=event.model_copy(update={"action": "seen"})))
    asked = await reviews.asked_since(
        case.connection,
        brand_id=place.brand_id,
        person_id=person_id,
        since=now - policy.ASKED_ONCE_IN,
    )
    due_at = now + timedelta(hours=place.policy.review_hours)
    reason = "doubtful_again" if asked else "doubtful"
    recorded, begun = await _begin(case, "doubtful", until=None, due_at=due_at, reason=reason)
    await reviews.open_one(
        case.connection,
        brand_id=place.brand_id,
        pause=begun,
        seq=recorded.seq,
        asked=not asked,
        opened_at=now,
        due_at=due_at,
    )
    await tell(case, recorded, "consent.doubtful")
    return recorded


async def _begin(
    case: Case,
    kind: Kind,
    *,
    until: datetime | None,
    due_at: datetime,
    reason: str | None = None,
) -> tuple[ConsentRecorded, Pause]:
    event, place = case.event, case.place
    scope = policy.paused_scope(event.scope, country=place.country, source=event.evidence.source)
    reach = policy.reach(scope)
    await know(case, blocked_at=case.situation.blocked_at)
    found = await ledger.find_reaches(case.connection, place, person_id=case.person_id, reach=reach)
    purposes = policy.MARKETING_LIKE
    reaches = tuple(
        Reached(account_id=account_id, address=address, purposes=purposes)
        for account_id, address in found
    )
    drawn = line(
        case,
        "paused",
        reason=reason,
        expires_at=until,
        scope=scope,
        purposes=purposes,
        reaches=reaches,
    )
    recorded = await append(case, drawn, reaches)
    begun = Pause(
        event_id=event.id,
        kind=kind,
        person_id=case.person_id,
        scope=scope,
        account_id=place.account_id,
        address=place.address,
        said_at=case.at or case.situation.now,
        until=until,
    )
    await pauses.put(case.connection, place, begun, seq=recorded.seq, reach=reach, due_at=due_at)
    await _reckon(case)
    return recorded, begun


async def _end(case: Case, found: Sequence[Pause], decision: Decision) -> None:
    """End pauses, and the reviews that they wait for."""
    if not found:
        return
    brand_id, event_ids = case.place.brand_id, [each.event_id for each in found]
    await pauses.end(case.connection, brand_id=brand_id, event_ids=event_ids)
    await _reckon(case)
    await reviews.decide(
        case.connection,
        brand_id=brand_id,
        event_ids=event_ids,
        at=case.situation.now,
        decision=decision,
        by=_who(case),
    )


def _who(case: Case) -> str:
    """Return who ended it, as a review tells it."""
    evidence = case.event.evidence
    if case.event.review_id is not None:
        return evidence.rule or evidence.source
    return "person" if case.spoken else evidence.source


def _earlier(case: Case, found: Sequence[Pause]) -> list[Pause]:
    """Return the pauses that were said before this; a word that was delayed ends no later one."""
    return [each for each in found if policy.grants_again(case.at, denied_at=each.said_at)]


async def _is_open(case: Case, review_id: UUID) -> bool:
    return await reviews.is_open(
        case.connection,
        brand_id=case.place.brand_id,
        review_id=review_id,
        person_id=case.person_id,
    )


async def _covering(case: Case) -> list[Pause]:
    return await pauses.covering(case.connection, case.place, person_id=case.person_id)


async def _reckon(case: Case) -> None:
    await pauses.reckon(case.connection, brand_id=case.place.brand_id, person_id=case.person_id)
