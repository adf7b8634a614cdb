"""Record what a person or a brand said, and let it hold: one event, one transaction.

    what do the words mean? → lock the person → seen this id before? → how do things stand? → do it

The lock comes first, so that for one person the ledger's sequence is the order of commits. A repeat
of an id finds its own line and gets the same answer.
"""

import asyncpg
import structlog
from prometheus_client import Counter

from services.consent import hearing, policy
from services.consent.answers import Erased, id_reused, repeated, seen_again
from services.consent.deeds import Case
from services.consent.moments import as_utc, day_in
from services.consent.optin import asked_by, told
from services.consent.pausing import DEEDS
from services.consent.queries import ledger, people
from services.consent.queries.people import Place
from services.consent.registry import Registry
from services.consent.texts import language_tag
from shared.contracts.consent import ConsentEventIn, ConsentRecorded, Heard
from shared.problems import Problem

log = structlog.get_logger()

_RECORDED = Counter(
    "permesso_consent_events_total", "Events that were recorded.", ["action", "outcome"]
)


async def record(registry: Registry, event: ConsentEventIn) -> ConsentRecorded:
    """Record an event; it holds when this returns.

    Raises `Problem`: 404 `unknown_account`, 409 `id_reused`, 422 for an end out of the calendar.
    """
    event, heard = hearing.understand(event)
    _check_ends(event)
    until = None
    try:
        async with registry.database.connection(event.brand_id) as connection:
            place = await _placed(connection, event)
            recorded = await _record(connection, registry, event, place, heard)
            if recorded.paused_until is not None:
                zone = await people.find_zone(connection, place, person_id=recorded.person_id)
                until = day_in(zone, recorded.paused_until)
    except Erased as repeat:
        # Rolled back: a repeat must not bring the person back.
        recorded = repeat.recorded
    except asyncpg.UniqueViolationError as error:
        # Another person's event got the same id at this very moment.
        raise id_reused() from error
    _RECORDED.labels(event.action, recorded.state).inc()
    # Sequence 0: somebody wrote whom we know. Nothing changed, and it happens all the time.
    if recorded.seq > 0:
        registry.bell.ring()
        log.info(
            "consent.recorded",
            brand=event.brand_id,
            event_id=event.id,
            action=event.action,
            outcome=recorded.state,
            reason=recorded.reason,
            seq=recorded.seq,
        )
    return hearing.answered(
        recorded, event, heard, brand=place.brand, languages=place.languages, until=until
    )


def _check_ends(event: ConsentEventIn) -> None:
    """Refuse what ends at a moment that PostgreSQL cannot store."""
    for name in ("expires_at", "until"):
        moment = getattr(event, name)
        if moment is not None and as_utc(moment) is None:
            wrong = {"pointer": f"/{name}", "message": "This is no moment of our calendar."}
            raise Problem(422, "invalid", "Some fields are wrong.", errors=[wrong])


async def _placed(connection: asyncpg.Connection, event: ConsentEventIn) -> Place:
    place = await people.find_place(
        connection, brand_id=event.brand_id, account_id=event.account_id, address=event.address
    )
    if place is None:
        raise Problem(404, "unknown_account", "The registry knows no such account of this brand.")
    return place


async def _record(
    connection: asyncpg.Connection,
    registry: Registry,
    event: ConsentEventIn,
    place: Place,
    heard: Heard | None = None,
) -> ConsentRecorded:
    language = language_tag(event.profile.language)
    if event.action == "seen":
        recorded = await _seen_before(connection, place, event, language=language)
        if recorded is not None:
            return recorded
    person_id = await people.lock_person(connection, place, suppressor=registry.suppressor)
    before = await ledger.find_event(connection, brand_id=event.brand_id, event_id=event.id)
    if before is not None:
        keys = await registry.evidences.of(connection, event.brand_id, [before["person_id"]])
        recorded = repeated(keys, event, before)
        asked = await asked_by(connection, keys, event) if event.wants_reply else None
        return recorded if asked is None else told(recorded, *asked)
    if language is not None:
        await people.learn_language(
            connection, brand_id=event.brand_id, person_id=person_id, language=language
        )
    situation = await ledger.look(
        connection, place, person_id=person_id, purposes=policy.purposes_asked(event.purpose)
    )
    keys = await registry.evidences.under(connection, event.brand_id, [person_id])
    case = Case(connection, keys, event, place, person_id, situation, heard)
    return await DEEDS[event.action](case)


async def _seen_before(
    connection: asyncpg.Connection, place: Place, event: ConsentEventIn, *, language: str | None
) -> ConsentRecorded | None:
    """Answer for somebody we know, which is the ordinary case, without lock or line."""
    seen = await people.find_seen(connection, place, event_id=event.id, language=language)
    if seen is None or seen.recorded or seen.unknown_language:
        return None
    if seen.stale:
        await people.touch(connection, place)
    return seen_again(event, seen.person_id, seen.known_since)
