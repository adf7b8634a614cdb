"""A yes in a chat: what was said, the notice that answers it, and the answer to the notice.

    a yes out of the blue   pending where the brand asks twice; the notice is the reply
    a bare start            the notice is the reply, and nothing waits
    the answer yes          confirms, if it is said to the open question; else it is asked once more
    the answer no           a revocation

Each notice that is served is a line of its own, with its exact words. The question that waits at
an address is closed by any no that covers it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import asyncpg

from services.consent import confirmations, deeds, notices, policy, terms
from services.consent.deeds import Case
from services.consent.evidence import Halves
from services.consent.hearing import OWN_WORDS
from services.consent.queries import ledger, people, questions, reviews
from services.consent.queries.questions import Asked, Held
from shared.contracts.consent import (
    ConsentEventIn,
    ConsentRecorded,
    Evidence,
    NoticeShown,
    Question,
    Scope,
)
from shared.ids import derived_id


async def grant(case: Case) -> ConsentRecorded:
    """A yes that nobody asked for, unless it is a START while a question waits."""
    event, place = case.event, case.place
    if not event.wants_reply:
        return await deeds.grant(case)
    if event.purpose == policy.SERVICE:
        return await _ask(case, await deeds.grant(case), policy.MARKETING)
    if event.evidence.source == OWN_WORDS:
        asked = await _waiting(case, tapped=True)
        if asked is not None:
            return await _confirm(case, asked)
    if not policy.double_opt_in(place.policy.double_opt_in, country=place.country):
        return await deeds.grant(case)
    held = await questions.held(case.connection, place, event.purpose)
    if held is not None:
        recorded = await deeds.note(case, reason="already_granted")
        # A yes that has an end is renewed as it was given: by the answer to a notice.
        if not terms.renewable(held.since, now=case.situation.now, ends=held.expires_at):
            return recorded
        return await _ask(case, recorded, event.purpose)
    recorded = await deeds.grant(case, "pending")
    if recorded.state != "pending":
        return recorded
    return await _ask(case, recorded, event.purpose)


async def confirm(case: Case) -> ConsentRecorded:
    """The answer yes: by a button that names its question, or in plain words."""
    tapped = case.event.question
    asked = await _waiting(case, tapped=tapped is not None)
    if tapped is None:
        if asked is None or await _asked_something_else(case, asked):
            return await _talk(case)
        return await _confirm(case, asked)
    if asked is not None and tapped == asked.event_id:
        return await _confirm(case, asked)
    purpose = await _purpose_of(case, tapped) or case.event.purpose
    held = await questions.held(case.connection, case.place, purpose)
    if held is not None and not await _may_renew(case, held, tapped):
        return await deeds.note(case, reason="already_granted")
    recorded = await deeds.note(case, reason="question_closed")
    if asked is not None:
        # Another question waits, and is in front of the person already.
        return recorded
    return await _ask(case, recorded, purpose, again=True)


async def decline(case: Case) -> ConsentRecorded:
    """The answer no: a button's always counts, plain words only while a question waits."""
    tapped = case.event.question
    if tapped is None:
        asked = await _waiting(case, tapped=False)
        purpose = None if asked is None else asked.purpose
    else:
        purpose = await _purpose_of(case, tapped)
    if purpose is None:
        return await _talk(case)
    changes = {"action": "revoke", "scope": Scope.PURPOSE, "purpose": purpose}
    return await deeds.revoke(replace(case, event=case.event.model_copy(update=changes)))


DEEDS: Mapping[str, Callable[[Case], Awaitable[ConsentRecorded]]] = {
    **deeds.DEEDS,
    "grant": grant,
    "confirm": confirm,
    "decline": decline,
}


async def asked_by(
    connection: asyncpg.Connection, halves: Halves, event: ConsentEventIn
) -> tuple[str, str | None, Question] | None:
    """Return the words, their version and the question that were the reply, if there was one."""
    line = await ledger.find_event(
        connection, brand_id=event.brand_id, event_id=derived_id(event.id, "notice")
    )
    if line is None:
        return None
    evidence = said(halves, line, event.brand_id)
    asked = question(line["id"], evidence.language or "")
    return evidence.wording or "", evidence.wording_version, asked


async def _waiting(case: Case, *, tapped: bool) -> Asked | None:
    """Return the question that this yes can be an answer to."""
    asked = await questions.find(case.connection, case.place)
    if asked is None:
        return None
    now = await notices.current(
        case.connection, case.place, purpose=asked.purpose, languages=case.place.languages
    )
    holds = policy.answers(
        asked_at=asked.asked_at,
        said_at=case.at,
        now=case.situation.now,
        same_notice=_name(now) == asked.version,
        tapped=tapped,
        open_until=asked.open_until,
    )
    return asked if holds else None


async def _asked_something_else(case: Case, asked: Asked) -> bool:
    """Did we ask after that whether they want to stop? Then nobody knows what a "yes" says yes to.

    It is the only other thing that the registry asks. What the brand itself has sent since, it
    cannot know: a plain yes is good for a day for that reason.
    """
    return await reviews.asked_since(
        case.connection,
        brand_id=case.place.brand_id,
        person_id=case.person_id,
        since=asked.asked_at,
    )


async def _confirm(case: Case, asked: Asked) -> ConsentRecorded:
    """Record the yes with what it was said to."""
    event = case.event
    line = await ledger.find_event(
        case.connection, brand_id=event.brand_id, event_id=asked.event_id
    )
    assert line is not None
    shown = said(case.evidences, line, event.brand_id)
    assert shown.notice is not None
    platform_id = event.evidence.platform_id if event.question else None
    evidence = event.evidence.model_copy(
        update={
            "wording": shown.wording,
            "wording_version": shown.wording_version,
            "language": shown.language,
            "notice": shown.notice.model_copy(update={"platform_id": platform_id}),
        }
    )
    changes = {"action": "confirm", "purpose": asked.purpose, "evidence": evidence}
    recorded = await deeds.grant(replace(case, event=event.model_copy(update=changes)))
    await questions.close(
        case.connection,
        case.place,
        person_id=case.person_id,
        reach="account",
        purposes=(asked.purpose,),
    )
    return recorded


async def _ask(
    case: Case, recorded: ConsentRecorded, purpose: str, *, again: bool = False
) -> ConsentRecorded:
    """Serve the notice: its line, the question that waits, and the words for the reply."""
    event, place = case.event, case.place
    languages = (event.evidence.language, event.profile.language, *place.languages)
    wording = await notices.current(case.connection, place, purpose=purpose, languages=languages)
    if again:
        before = confirmations.reply("again", brand=place.brand, languages=[wording.language])
        wording = replace(wording, words=f"{before}\n\n{wording.words}")
    served = await serve(case, wording, purpose=purpose)
    asked = question(derived_id(event.id, "notice"), wording.language)
    return told(recorded, served.wording or "", wording.version, asked)


async def serve(
    case: Case, wording: notices.Wording, *, purpose: str, open_until: datetime | None = None
) -> Evidence:
    """Write down that a notice is served, and let its question wait; return what the line says.

    It waits for as long as any question, or until then.
    """
    event, place = case.event, case.place
    notice_id = derived_id(event.id, "notice")
    evidence = Evidence(
        source="notice",
        wording=wording.words,
        wording_version=wording.version,
        language=wording.language,
        inbox_id=event.evidence.inbox_id,
        notice=NoticeShown(
            id=wording.notice_id,
            version=wording.version,
            language=wording.language,
            digest=wording.digest,
            event_id=notice_id,
            message_id=event.reply_id,
        ),
    )
    served = {
        "id": notice_id,
        "action": "notice",
        "purpose": purpose,
        "scope": Scope.PURPOSE,
        "evidence": evidence,
    }
    await deeds.note(replace(case, event=event.model_copy(update=served)))
    asked = Asked(notice_id, purpose, _name(wording), case.situation.now, open_until)
    await questions.open(case.connection, place, person_id=case.person_id, asked=asked)
    return evidence


def told(
    recorded: ConsentRecorded, words: str, version: str | None, question: Question
) -> ConsentRecorded:
    """Return what was recorded with the notice that is the reply to it."""
    changes = {"reply": words, "reply_wording": version, "question": question}
    return recorded.model_copy(update=changes)


async def _talk(case: Case) -> ConsentRecorded:
    """What answers no question is talk."""
    return await deeds.see(replace(case, event=case.event.model_copy(update={"action": "seen"})))


async def _may_renew(case: Case, held: Held, question: UUID) -> bool:
    """Could an answer to this question have renewed the yes that holds: was that there before?"""
    line = await ledger.find_event(case.connection, brand_id=case.event.brand_id, event_id=question)
    return held.expires_at is not None and line is not None and bool(line["seq"] > held.seq)


async def _purpose_of(case: Case, question: UUID) -> str | None:
    """Return what a question of ours asked this very person."""
    line = await ledger.find_event(case.connection, brand_id=case.event.brand_id, event_id=question)
    if line is None or line["action"] != "notice":
        return None
    brand_id, was = case.event.brand_id, line["person_id"]
    if not await people.became(case.connection, brand_id, was=was, is_=case.person_id):
        return None
    purpose: str = line["purpose"]
    return purpose


def said(halves: Halves, line: asyncpg.Record, brand_id: UUID) -> Evidence:
    """Return what a line of a person whose key is at hand says."""
    return halves.open(
        line["sealed"], person_id=line["person_id"], brand_id=brand_id, event_id=line["id"]
    ).evidence


def _name(wording: notices.Wording) -> str:
    """Name a notice and its version, whatever the language."""
    return f"{wording.notice_id or 'house'}/{wording.version}"


def question(event_id: UUID, language: str) -> Question:
    """Return a question with the words on its buttons."""
    yes, no = confirmations.buttons(language)
    return Question(id=event_id, yes=yes, no=no)
