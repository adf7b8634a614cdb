"""Ask whether to go on: the notice that is shown before a consent runs out.

It is served only while that consent holds and can be used, because a message that asks for a yes is
marketing itself. The line `notice` is written when the words are fetched, and a repeat of the call
gets the words of then.
"""

from dataclasses import replace
from uuid import UUID

import asyncpg

from services.consent import confirmations, notices, optin
from services.consent.deeds import Case
from services.consent.evidence import Halves
from services.consent.expiring import refresh_id
from services.consent.moments import day_in
from services.consent.notices import Wording
from services.consent.queries import ledger, people, refreshes
from services.consent.queries.people import Place
from services.consent.queries.refreshes import Standing
from services.consent.registry import Registry
from shared.contracts.consent import ConsentEventIn, Evidence
from shared.contracts.refreshes import Refresh
from shared.ids import derived_id
from shared.problems import Problem


async def ask(registry: Registry, brand_id: UUID, event_id: UUID, *, message_id: UUID) -> Refresh:
    """Serve the question of a line `refresh`, in a message of this id.

    Raises `Problem`: 404 `unknown_event`; 409 `refresh_over` where that consent ended, was renewed,
    or cannot be used now.
    """
    async with registry.database.connection(brand_id) as connection:
        line = await ledger.find_event(connection, brand_id=brand_id, event_id=event_id)
        if line is None or line["action"] != "refresh":
            raise Problem(404, "unknown_event", "The ledger has no such refresh of this brand.")
        place = await _place(connection, registry, brand_id, line)
        person_id = await people.lock_person(connection, place, suppressor=registry.suppressor)
        standing = await refreshes.at(connection, place, purpose=line["purpose"])
        if standing is None or refresh_id(standing.event_id) != event_id:
            raise _over()
        if standing.blocked or standing.paused or not place.policy.refresh_days:
            raise _over()
        served = await ledger.find_event(
            connection, brand_id=brand_id, event_id=derived_id(event_id, "notice")
        )
        if served is not None:
            halves = await registry.evidences.of(connection, brand_id, [served["person_id"]])
            said = optin.said(halves, served, brand_id)
        else:
            halves = await registry.evidences.under(connection, brand_id, [person_id])
            event = _event(event_id, place, standing, message_id)
            said = await _serve(connection, halves, event, place, person_id, standing)
    language = said.language or ""
    return Refresh(
        id=event_id,
        account_id=place.account_id,
        address=place.address,
        person_id=person_id,
        purpose=standing.purpose,
        language=language,
        words=said.wording or "",
        question=optin.question(derived_id(event_id, "notice"), language),
    )


async def _place(
    connection: asyncpg.Connection, registry: Registry, brand_id: UUID, line: asyncpg.Record
) -> Place:
    """Return the place of a refresh; of an erased person nobody knows it any more."""
    halves = await registry.evidences.of(connection, brand_id, [line["person_id"]])
    if not halves.has(line["person_id"]):
        raise _over()
    subject = halves.subject(
        line["sealed"], person_id=line["person_id"], brand_id=brand_id, event_id=line["id"]
    )
    place = await people.find_place(
        connection, brand_id=brand_id, account_id=line["account_id"], address=subject.address
    )
    assert place is not None  # Accounts are never forgotten.
    return place


def _event(event_id: UUID, place: Place, standing: Standing, message_id: UUID) -> ConsentEventIn:
    return ConsentEventIn(
        id=event_id,
        brand_id=place.brand_id,
        action="seen",
        account_id=place.account_id,
        address=place.address,
        purpose=standing.purpose,
        evidence=Evidence(source="notice"),
        reply_id=message_id,
    )


async def _serve(
    connection: asyncpg.Connection,
    halves: Halves,
    event: ConsentEventIn,
    place: Place,
    person_id: UUID,
    standing: Standing,
) -> Evidence:
    """Write down what is asked, and let it wait until the end of the consent."""
    situation = await ledger.look(
        connection, place, person_id=person_id, purposes=(standing.purpose,)
    )
    case = Case(connection, halves, event, place, person_id, situation)
    wording = await _worded(connection, place, person_id, standing)
    return await optin.serve(
        case, wording, purpose=standing.purpose, open_until=standing.expires_at
    )


async def _worded(
    connection: asyncpg.Connection, place: Place, person_id: UUID, standing: Standing
) -> Wording:
    """Return the words: since when, until when, how to go on and how to end it.

    Then the brand's own notice, where it has one.
    """
    zone = await people.find_zone(connection, place, person_id=person_id)
    own = await people.find_language(connection, place, person_id=person_id)
    languages = (own, *place.languages)
    notice = await notices.current(connection, place, purpose=standing.purpose, languages=languages)
    language = confirmations.choose_language((*languages, notice.language))
    words = confirmations.reply(
        "refresh",
        brand=place.brand,
        languages=[language],
        since=day_in(zone, standing.since),
        until=day_in(zone, standing.expires_at),
    )
    if notice.notice_id is not None:
        return replace(notice, words=f"{words}\n\n{notice.words}")
    text = confirmations.template("refresh", language)
    return replace(notice, words=words, language=language, digest=notices.digest(text))


def _over() -> Problem:
    return Problem(409, "refresh_over", "This consent ended, was renewed, or cannot be used now.")
