"""People: what is known of them, what they agreed to, and when."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.gateway import choose, examples
from services.gateway.errors import wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, Cursor, Limit, Parts
from shared.clients.base import ServiceRefused
from shared.contracts.base import Contract
from shared.contracts.consent import Address, HistoryEntry, Person, PersonChange

router = APIRouter(tags=["people"], route_class=Gate)


class PersonPage(Contract):
    """People."""

    items: tuple[Person, ...]
    next: str | None = None


class HistoryPage(Contract):
    """A person's events, the oldest first."""

    items: tuple[HistoryEntry, ...]
    next: str | None = None


@router.get("/v1/people", **worked(examples.page(examples.PERSON)))
@needs("people:read")
async def find_people(
    house: Parts,
    by: By,
    address: Annotated[Address, Query(description="As the channel spells it.")],
    channel: Annotated[str | None, Query(max_length=40)] = None,
    account_id: UUID | None = None,
) -> PersonPage:
    """Find the person at an address of a channel, or of one account: a list of one or none."""
    if account_id is not None:
        account = await choose.account(
            house.database, by.brand_id, account_id=account_id, channel=channel
        )
        name = account.channel
    elif channel is not None:
        name = choose.known_channel(channel).name
    else:
        raise wrong_field("/query/channel", "Give the channel, or an account_id.")
    try:
        person = await house.consent.find_person(
            brand_id=by.brand_id,
            address=choose.address(name, address, pointer="/query/address"),
            channel=name if account_id is None else None,
            account_id=account_id,
        )
    except ServiceRefused as error:
        if error.status != 404:
            raise
        return PersonPage(items=())
    return PersonPage(items=(person,))


@router.get("/v1/people/{person_id}", **worked(examples.PERSON))
@needs("people:read")
async def get_person(person_id: UUID, house: Parts, by: By) -> Person:
    """Return a person with addresses and consents."""
    return await house.consent.get_person(by.brand_id, person_id)


@router.patch("/v1/people/{person_id}", **worked(examples.PERSON, given=examples.PERSON_CHANGE))
@needs("people:write")
async def change_person(person_id: UUID, change: PersonChange, house: Parts, by: By) -> Person:
    """Change tags, attributes, language, time zone or quiet hours; what is left out stays."""
    return await house.consent.change_person(by.brand_id, person_id, change)


@router.get("/v1/people/{person_id}/history", **worked(examples.page(examples.HISTORY_ENTRY)))
@needs("people:read")
async def list_history(
    person_id: UUID, house: Parts, by: By, cursor: Cursor = None, limit: Limit = 50
) -> HistoryPage:
    """List what a person agreed to and took back, with the evidence."""
    found = await house.consent.history(by.brand_id, person_id, after=_after(cursor), limit=limit)
    following = None if found.next is None else str(found.next)
    return HistoryPage(items=found.items, next=following)


def _after(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or int(cursor) >= 1 << 63:
        raise wrong_field("/query/cursor", "This is not a `next` of ours.")
    return int(cursor)
