"""Consents: a yes is recorded; a no or a pause is carried to its end before it is answered."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Response
from pydantic import AwareDatetime, Field

from services.gateway import choose, examples, orders
from services.gateway.errors import wrong_field
from services.gateway.examples import worked
from services.gateway.gate import Gate, needs
from services.gateway.house import By, NewId, Parts
from services.gateway.orders import ConsentReceipt
from shared import clock
from shared.contracts.base import Contract
from shared.contracts.consent import (
    Address,
    ConsentEventIn,
    Evidence,
    Purpose,
    RecordedState,
    Scope,
)

router = APIRouter(tags=["consents"], route_class=Gate)

CLOCKS_DIFFER: Final = timedelta(minutes=5)
"""How far in the future a person may have said yes, by the clock of the brand's system."""


LONGEST_PAUSE: Final = timedelta(days=366)


class ConsentIn(Contract):
    """A yes, a no, or a pause; `channel` is enough where the brand has one account of it."""

    channel: str | None = None
    account_id: UUID | None = None
    address: Address
    purpose: Purpose = "marketing"
    action: Literal["grant", "revoke", "pause"]
    """`pause`: no marketing before `until`, whatever was granted; every yes is kept."""
    scope: Scope = Scope.PURPOSE
    """How far a revocation or a pause reaches. A pause of scope `purpose` holds on the account."""
    evidence: Evidence | None = None
    """How the person said it. A grant without evidence is refused."""
    expires_at: AwareDatetime | None = None
    until: AwareDatetime | None = None
    """When a pause ends by itself, at most 366 days from now; left out, thirty days from now."""
    uses: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """For how many messages a grant is good, such as one; what is left of an earlier one is added.
    Left out, it is good for any number."""


class ConsentOut(Contract):
    """What became of it."""

    id: UUID
    state: RecordedState | Literal["accepted"]
    """`accepted`: stored, and on its way to be in force (`Prefer: respond-async`)."""
    reason: str | None = None
    effective_at: datetime | None = None
    paused_until: datetime | None = None
    receipt: ConsentReceipt | None = None


class CheckIn(Contract):
    """May these people be written to, now?"""

    channel: str | None = None
    account_id: UUID | None = None
    purpose: Purpose
    addresses: Annotated[tuple[Address, ...], Field(min_length=1, max_length=1_000)]


class CheckedAddress(Contract):
    """The answer for one address."""

    address: str
    allowed: bool
    reason: str
    consent_event_id: str | None = None
    until: datetime | None = None
    """When a yes need not wait any more, for quiet hours or under a cap."""


class CheckOut(Contract):
    """The answers, in the order of the question."""

    results: tuple[CheckedAddress, ...]


@router.post("/v1/consents", **worked(examples.CONSENT, given=examples.CONSENT_IN, status=201))
@needs("consents:write", creates=True)
async def create_consent(
    consent: ConsentIn,
    house: Parts,
    by: By,
    event_id: NewId,
    response: Response,
    prefer: Annotated[
        str | None, Header(description="`respond-async`: answer a revocation when it is stored.")
    ] = None,
) -> ConsentOut:
    """Record a grant, or carry out a revocation or a pause: 201 says that it is in force.

    A revocation is stored first, so it is carried out whatever happens to this call. With
    `Prefer: respond-async` the answer is 202 as soon as it is stored. The same holds for a pause.
    """
    event = await _event(consent, house, by, event_id)
    if event.action == "grant":
        return _recorded(orders.Result.of(await house.consent.record(event)))
    if wants_async(prefer):
        await orders.put_in(house.intake, event)
        response.status_code = 202
        response.headers["Preference-Applied"] = "respond-async"
        return ConsentOut(id=event_id, state="accepted")
    return _recorded(await orders.carry_out(house.intake, house.inbox, event))


@router.post("/v1/consents/check", **worked(examples.CHECK, given=examples.CHECK_IN))
@needs("consents:read")
async def check_consents(question: CheckIn, house: Parts, by: By) -> CheckOut:
    """Say who may be written to now, and why or why not. To ask takes nothing of any cap or use."""
    account = await choose.account(
        house.database, by.brand_id, account_id=question.account_id, channel=question.channel
    )
    addresses = [
        choose.address(account.channel, spelled, pointer=f"/addresses/{number}")
        for number, spelled in enumerate(question.addresses)
    ]
    answers = await house.consent.check(
        brand_id=by.brand_id,
        account_id=account.id,
        purpose=question.purpose,
        addresses=addresses,
    )
    return CheckOut(
        results=tuple(
            CheckedAddress(
                address=spelled,
                allowed=answer.allowed,
                reason=answer.reason,
                consent_event_id=answer.consent_event_id,
                until=answer.until,
            )
            for spelled, answer in zip(question.addresses, answers, strict=True)
        )
    )


async def _event(consent: ConsentIn, house: Parts, by: By, event_id: UUID) -> ConsentEventIn:
    _check(consent)
    account = await choose.account(
        house.database, by.brand_id, account_id=consent.account_id, channel=consent.channel
    )
    return ConsentEventIn(
        id=event_id,
        brand_id=by.brand_id,
        action=consent.action,
        account_id=account.id,
        address=choose.address(account.channel, consent.address),
        purpose=consent.purpose,
        scope=consent.scope,
        evidence=consent.evidence or Evidence(source="api"),
        expires_at=consent.expires_at,
        until=consent.until,
        uses=consent.uses,
    )


def _check(consent: ConsentIn) -> None:
    """Refuse what fits no action of its kind."""
    if consent.action == "grant":
        if consent.evidence is None:
            raise wrong_field("/evidence", "A grant needs evidence of how the person said yes.")
        if consent.scope is not Scope.PURPOSE:
            raise wrong_field("/scope", "Only a revocation or a pause has a scope.")
        if consent.expires_at is not None and consent.expires_at <= clock.now():
            raise wrong_field("/expires_at", "This is in the past.")
    elif consent.expires_at is not None:
        raise wrong_field("/expires_at", "Only a grant expires.")
    elif consent.uses is not None:
        raise wrong_field("/uses", "Only a grant is used up.")
    if consent.evidence is not None and _is_to_come(consent.evidence.at):
        raise wrong_field("/evidence/at", "Nobody can have said it in the future.")
    _check_pause(consent)


def _check_pause(consent: ConsentIn) -> None:
    until = consent.until
    if consent.action != "pause":
        if until is not None:
            raise wrong_field("/until", "Only a pause has an end; a grant has `expires_at`.")
        return
    if consent.purpose != "marketing":
        raise wrong_field("/purpose", "A pause is of all marketing; a purpose can be revoked.")
    if until is not None and until <= clock.now():
        raise wrong_field("/until", "This is in the past.")
    if until is not None and until > clock.now() + LONGEST_PAUSE:
        raise wrong_field("/until", "A pause is of 366 days at most; a longer one is a revocation.")


def _is_to_come(moment: datetime | None) -> bool:
    """Tell whether a time, in UTC where it does not say, has not come yet by anybody's clock."""
    if moment is None:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment > clock.now() + CLOCKS_DIFFER


def _recorded(result: orders.Result) -> ConsentOut:
    return ConsentOut(
        id=result.receipt.consent_event_id,
        state=result.state,
        reason=result.reason,
        effective_at=result.receipt.recorded_at,
        paused_until=result.paused_until,
        receipt=result.receipt,
    )


def wants_async(prefer: str | None) -> bool:
    """Does the caller want an answer before it is done?"""
    wishes = (prefer or "").lower().replace(";", ",").split(",")
    return "respond-async" in (wish.strip() for wish in wishes)
