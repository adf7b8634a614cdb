"""What a person can do on their own page: each by a POST, each as binding as a word in the chat."""

from datetime import timedelta
from uuid import UUID
from zoneinfo import available_timezones

from services.gateway import orders
from services.gateway.house import House
from services.gateway.links import Link
from services.gateway.orders import Result
from services.gateway.pages.person_texts import NAMES, WORDING_VERSION, Words
from shared import clock
from shared.contracts.consent import (
    ConsentEventIn,
    Evidence,
    Person,
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


async def turn_off(
    house: House, link: Link, person: Person, *, account_id: UUID, purpose: str, once: str
) -> bool:
    """Take back one purpose on one account; False where the person has no such choice."""
    state = _state(person, account_id, purpose)
    if state is None:
        return False
    name = f"off/{account_id}/{purpose}/{once}"
    event = _event(link, account_id, state, "revoke", purpose=purpose, once=name)
    await orders.carry_out(house.intake, house.inbox, event)
    return True


async def turn_on(
    house: House,
    link: Link,
    person: Person,
    words: Words,
    *,
    account_id: UUID,
    purpose: str,
    once: str,
) -> bool:
    """Say yes to one purpose on one account, in the words that stand beside the button."""
    address = _state(person, account_id, purpose)
    if address is None:
        return False
    name = f"on/{account_id}/{purpose}/{once}"
    event = _event(link, account_id, address, "grant", purpose=purpose, once=name)
    evidence = Evidence(
        source=SOURCE,
        wording=words("agree"),
        wording_version=WORDING_VERSION,
        language=words.language,
        at=clock.now(),
        rule="page:on",
    )
    await house.consent.record(event.model_copy(update={"evidence": evidence}))
    return True


async def change(house: House, link: Link, *, language: str, timezone: str) -> bool:
    """Take the person's word for their language and time zone; False where it is none."""
    if language not in NAMES or (timezone and timezone not in available_timezones()):
        return False
    told = PersonChange(language=language, timezone=timezone or None)
    await house.consent.change_person(link.brand_id, link.person_id, told)
    return True


def _state(person: Person, account_id: UUID, purpose: str) -> str | None:
    """Return the address at which the person has said something about this."""
    for state in person.consents:
        if (state.account_id, state.purpose) == (account_id, purpose):
            return state.address
    return None


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
