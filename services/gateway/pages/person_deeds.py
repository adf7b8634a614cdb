"""What a person can do on their own page: each by a POST, each as binding as a word in the chat."""

from datetime import timedelta
from uuid import UUID
from zoneinfo import available_timezones

from pydantic import ValidationError

from services.gateway import orders
from services.gateway.house import House
from services.gateway.links import Link
from services.gateway.orders import Result
from services.gateway.pages.person_texts import NAMES, WORDING_VERSION, Words, agreement
from shared import clock
from shared.contracts.consent import (
    ConsentEventIn,
    ConsentState,
    Evidence,
    Person,
    PersonAddress,
    PersonChange,
    Scope,
)
from shared.ids import derived_id, new_id

SOURCE = "page"
PAUSES = ("7", "30", "90")
"""Days that a person may ask for."""


async def stop(house: House, link: Link, person: Person, *, once: str) -> Result | None:
    """End all marketing, on every channel; None where no account of the brand knows the person."""
    if not person.addresses:
        return None
    known = person.addresses[0]
    event = _event(link, known.account_id, known.address, "revoke", once=f"stop/{once}")
    event = event.model_copy(update={"scope": Scope.BRAND})
    return await orders.carry_out(house.intake, house.inbox, event)


async def pause(house: House, link: Link, person: Person, *, days: int, once: str) -> None:
    """Let no marketing come for so many days, on any channel; every yes is kept."""
    known = person.addresses[0]
    event = _event(link, known.account_id, known.address, "pause", once=f"pause/{days}/{once}")
    told = {"scope": Scope.BRAND, "until": clock.now() + timedelta(days=days)}
    await orders.carry_out(house.intake, house.inbox, event.model_copy(update=told))


async def resume(house: House, link: Link, known: PersonAddress, *, once: str) -> None:
    """End a pause: whatever was agreed to before counts again."""
    name = f"resume/{known.account_id}/{known.address}/{once}"
    await house.consent.record(_event(link, known.account_id, known.address, "resume", once=name))


def choice(person: Person, told: str) -> ConsentState | None:
    """Return what a form means by a choice of the page; None where the person has no such one."""
    return next((each for each in person.consents if choice_id(person.id, each) == told), None)


def choice_id(person_id: UUID, state: ConsentState) -> str:
    """Name an account, an address and a purpose as they stand now, without telling any of them.

    Once something was said about it the name is another one, so an old form says nothing.
    """
    named = f"{state.account_id}|{state.address}|{state.purpose}|{state.seq}"
    return str(derived_id(person_id, named))


def gets_marketing(person: Person) -> bool:
    """Is there any yes to marketing that holds?"""
    return any(
        state.status == "granted" and not state.paused and state.purpose != "service"
        for state in person.consents
    )


async def turn_off(house: House, link: Link, state: ConsentState, *, once: str) -> None:
    """Take back one purpose at one address."""
    await orders.carry_out(house.intake, house.inbox, _about(link, state, "revoke", once=once))


async def turn_on(
    house: House, link: Link, words: Words, state: ConsentState, *, once: str
) -> None:
    """Say yes to one purpose at one address, in the words that stand beside the button."""
    event = _about(link, state, "grant", once=once)
    evidence = Evidence(
        source=SOURCE,
        wording=agreement(state.purpose, words),
        wording_version=WORDING_VERSION,
        language=words.language,
        at=clock.now(),
        rule="page:grant",
    )
    await house.consent.record(event.model_copy(update={"evidence": evidence}))


async def change(
    house: House, link: Link, *, language: str, timezone: str, quiet: tuple[str, str] | None
) -> bool:
    """Take the person's word for their language, time zone and quiet hours; False where it is none.

    No language leaves it as it is: it may be one that the page does not speak. Empty hours are
    none; a form without them leaves them.
    """
    if (language and language not in NAMES) or (timezone and timezone not in available_timezones()):
        return False
    changed: dict[str, object] = {"timezone": timezone or None}
    if quiet is not None:
        start, end = quiet
        changed["quiet_hours"] = {"start": start, "end": end} if start or end else None
    if language:
        changed["language"] = language
    try:
        told = PersonChange.model_validate(changed)
    except ValidationError:
        return False
    await house.consent.change_person(link.brand_id, link.person_id, told)
    return True


def _about(link: Link, state: ConsentState, action: str, *, once: str) -> ConsentEventIn:
    name = f"{action}/{choice_id(link.person_id, state)}/{once}"
    return _event(link, state.account_id, state.address, action, once=name, purpose=state.purpose)


def _event(
    link: Link,
    account_id: UUID,
    address: str,
    action: str,
    *,
    once: str,
    purpose: str = "marketing",
) -> ConsentEventIn:
    event_id = derived_id(link.person_id, f"page/{once}") if once else new_id()
    return ConsentEventIn.model_validate(
        {
            "id": event_id,
            "brand_id": link.brand_id,
            "action": action,
            "account_id": account_id,
            "address": address,
            "purpose": purpose,
            "evidence": Evidence(source=SOURCE, at=clock.now(), rule=f"page:{once.split('/')[0]}"),
        }
    )
