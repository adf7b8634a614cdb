"""People as one brand knows them."""

import math
from typing import Annotated
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Body, Query

from services.consent import people
from services.consent.api import examples, merge_examples
from services.consent.api.access import TheRegistry
from services.consent.api.feed import LARGEST
from services.consent.texts import language_tag, refuse_nul
from shared.contracts.consent import Address, History, Person, PersonChange
from shared.contracts.exports import PersonMerges
from shared.problems import Problem

router = APIRouter(tags=["people"])

_LONGEST_KEY = 64
_LONGEST_TEXT = 1_000
_LARGEST_NUMBER = 2**53
"""What every reader of JSON can hold without loss."""


@router.get("/v1/people", responses=examples.answers(examples.PERSON))
async def find(
    registry: TheRegistry,
    brand_id: Annotated[UUID, Query()],
    address: Annotated[Address, Query(openapi_examples=examples.one("123456789"))],
    channel: Annotated[str | None, Query(openapi_examples=examples.one("telegram"))] = None,
    account_id: Annotated[UUID | None, Query()] = None,
) -> Person:
    """Return who is behind an address. Name either the channel or one account of it.

    On one channel an address is the same person for all of a brand's accounts.
    """
    if (channel is None) == (account_id is None):
        wrong = {"pointer": "/query/channel", "message": "Name either channel or account_id."}
        raise Problem(422, "invalid", "Some fields are wrong.", errors=[wrong])
    refuse_nul({"/query/address": address, "/query/channel": channel})
    return await people.find_person(
        registry.database,
        brand_id=brand_id,
        address=address,
        channel=channel,
        account_id=account_id,
    )


@router.get("/v1/brands/{brand_id}/people/{person_id}", responses=examples.answers(examples.PERSON))
async def get(registry: TheRegistry, brand_id: UUID, person_id: UUID) -> Person:
    """Return a person: what the brand noted, where they can be reached, what holds."""
    return await people.get_person(registry.database, brand_id=brand_id, person_id=person_id)


@router.patch(
    "/v1/brands/{brand_id}/people/{person_id}", responses=examples.answers(examples.PERSON)
)
async def change(
    registry: TheRegistry,
    brand_id: UUID,
    person_id: UUID,
    change: Annotated[PersonChange, Body(examples=[examples.PERSON_CHANGE])],
) -> Person:
    """Change what is given: `null` takes a value away, what is left out stays."""
    if errors := _errors(change):
        raise Problem(422, "invalid", "Some fields are wrong.", errors=errors)
    return await people.change_person(
        registry.database, brand_id=brand_id, person_id=person_id, change=change
    )


@router.get(
    "/v1/brands/{brand_id}/people/{person_id}/history",
    responses=examples.answers(examples.HISTORY),
)
async def history(
    registry: TheRegistry,
    brand_id: UUID,
    person_id: UUID,
    after: Annotated[int, Query(ge=0, le=LARGEST, description="The last `seq` seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 200,
) -> History:
    """Return what was ever recorded of a person, with its evidence, in the ledger's order."""
    return await people.history(
        registry, brand_id=brand_id, person_id=person_id, after=after, limit=limit
    )


@router.get(
    "/v1/brands/{brand_id}/people/{person_id}/merges",
    responses=examples.answers(merge_examples.MERGES),
)
async def merges(registry: TheRegistry, brand_id: UUID, person_id: UUID) -> PersonMerges:
    """Return who became one with a person, and with which addresses."""
    return await people.merges(registry.database, brand_id=brand_id, person_id=person_id)


def _errors(change: PersonChange) -> list[dict[str, str]]:
    """Say what the types cannot: zones and languages that exist, values that can be stored."""
    errors = []
    if change.timezone is not None and change.timezone not in available_timezones():
        message = "This is no time zone; write one such as Europe/Rome."
        errors.append({"pointer": "/timezone", "message": message})
    if change.language is not None and language_tag(change.language) != change.language:
        message = "This is no language tag; write one such as it or pt-BR."
        errors.append({"pointer": "/language", "message": message})
    for key, value in (change.attributes or {}).items():
        if wrong := _wrong(key, value):
            name = key[:_LONGEST_KEY].replace("~", "~0").replace("/", "~1")
            errors.append({"pointer": f"/attributes/{name}", "message": wrong})
    return errors


def _wrong(key: str, value: str | int | float | bool | None) -> str | None:
    if not 0 < len(key) <= _LONGEST_KEY or "\0" in key:
        return f"A name has 1 to {_LONGEST_KEY} characters, and NUL is none of them."
    match value:
        case bool() | None:
            return None
        case str() if len(value) > _LONGEST_TEXT or "\0" in value:
            return f"A text has at most {_LONGEST_TEXT} characters, and NUL is none of them."
        case int() | float() if not math.isfinite(value) or abs(value) > _LARGEST_NUMBER:
            return "A number is finite and at most 2^53."
    return None
