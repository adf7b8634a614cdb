"""Two persons who are one, because their brand says so; and taken apart again."""

from uuid import UUID

from fastapi import APIRouter

from channels.registry import CHANNELS
from services.gateway import merge_examples as examples
from services.gateway import orders
from services.gateway.errors import wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, NewId, Parts
from services.gateway.orders import ConsentReceipt
from shared.contracts.base import Contract
from shared.contracts.consent import Evidence, Person, RecordedState
from shared.contracts.merges import MergeIn, SplitIn
from shared.problems import Problem

router = APIRouter(tags=["people"], route_class=Gate)


class PersonMerge(Contract):
    """Who is one with this person, and how that is known."""

    person_id: UUID
    evidence: Evidence


class PersonSplit(Contract):
    """Which merge was wrong, and how that is known."""

    merge_id: UUID
    evidence: Evidence


class PersonChanged(Contract):
    """What became of it; `id` names the merge or the split."""

    id: UUID
    person_id: UUID
    state: RecordedState
    """`revoked`: a no of one of them is in force at the other's addresses too."""
    receipt: ConsentReceipt


@router.post(
    "/v1/people/{person_id}/merge",
    **worked(examples.MERGED, given=examples.MERGE_IN, status=201),
)
@needs("people:write", creates=True)
async def merge_person(
    person_id: UUID, merge: PersonMerge, house: Parts, by: By, merge_id: NewId
) -> PersonChanged:
    """Say that another person is this one: their addresses, tags and history come here.

    No yes goes from one address to another, and a no of either is in force for both when the
    answer comes: it is carried out as a revocation is. `split` takes it back. Whoever is known on a
    channel whose platform wants people deleted when they leave is refused (409 `leaving_erases`).
    """
    if merge.person_id == person_id:
        raise wrong_field("/person_id", "This is the person themselves.")
    for each in (person_id, merge.person_id):
        _check_can_be_merged(await house.consent.get_person(by.brand_id, each))
    order = MergeIn(
        id=merge_id,
        brand_id=by.brand_id,
        kept_id=person_id,
        gone_id=merge.person_id,
        evidence=merge.evidence,
    )
    return _changed(await orders.carry_out_merge(house.intake, house.inbox, order))


@router.post(
    "/v1/people/{person_id}/split",
    **worked(examples.SPLIT, given=examples.SPLIT_IN, status=201),
)
@needs("people:write", creates=True)
async def split_person(
    person_id: UUID, split: PersonSplit, house: Parts, by: By, split_id: NewId
) -> PersonChanged:
    """Take a merge back: each has their own addresses again. Every no stays on both."""
    order = SplitIn(
        id=split_id,
        brand_id=by.brand_id,
        kept_id=person_id,
        merge_id=split.merge_id,
        evidence=split.evidence,
    )
    return _changed(orders.Result.of(await house.consent.split(order)))


def _check_can_be_merged(person: Person) -> None:
    """Refuse whoever has to be erased alone when they leave; raises `Problem` 409."""
    for known in person.addresses:
        if CHANNELS[known.channel].capabilities.leaving_erases:
            title = CHANNELS[known.channel].title
            text = f"{title} wants its people deleted when they leave: they stay on their own."
            raise Problem(409, "leaving_erases", text)


def _changed(result: orders.Result) -> PersonChanged:
    return PersonChanged(
        id=result.receipt.consent_event_id,
        person_id=result.receipt.person_id,
        state=result.state,
        receipt=result.receipt,
    )
