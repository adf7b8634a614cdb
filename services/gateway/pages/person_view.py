"""What a person's own page shows: what holds for them, what was recorded, in plain words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from services.gateway.pages.person_deeds import choice_id
from services.gateway.pages.person_texts import Words, agreement, purpose_name
from shared.contracts.consent import ConsentState, HistoryEntry, Person
from shared.contracts.receipts import SignedReceipt
from shared.masking import masked

CHANNELS: Final = {"telegram": "Telegram", "whatsapp": "WhatsApp", "webhook": "Web"}
_ORDER: Final = ("marketing", "service", "measuring")


@dataclass(frozen=True)
class Choice:
    """One purpose on one account, and whether it is a yes."""

    id: str
    """What its form calls it."""
    title: str
    where: str
    status: str
    allowed: bool
    event_id: UUID
    wording: str | None
    """What was agreed to, where it is a yes."""
    agree: str
    """What would be agreed to."""


@dataclass(frozen=True)
class Record:
    """One thing that was recorded."""

    id: UUID
    at: str
    what: str
    wording: str | None


def choices(
    person: Person, history: Iterable[HistoryEntry], words: Words, zone: ZoneInfo
) -> list[Choice]:
    """Return what holds, marketing first."""
    told = {entry.id: entry.evidence.wording for entry in history}
    channel_of = {known.account_id: known.channel for known in person.addresses}
    blocked = {(k.account_id, k.address) for k in person.addresses if k.blocked_at is not None}
    states = sorted(person.consents, key=_rank)
    return [
        Choice(
            id=choice_id(person.id, state),
            title=purpose_name(state.purpose, words),
            where=words(
                "on_channel",
                channel=_channel(channel_of.get(state.account_id, "")),
                address=masked(state.address),
            ),
            status=_status(
                state,
                words,
                zone,
                blocked=(state.account_id, state.address) in blocked,
            ),
            allowed=state.status == "granted",
            event_id=state.consent_event_id,
            wording=told.get(state.consent_event_id) if state.status == "granted" else None,
            agree=agreement(state.purpose, words),
        )
        for state in states
    ]


def records(history: Iterable[HistoryEntry], words: Words, zone: ZoneInfo) -> list[Record]:
    """Return what was recorded, the newest first."""
    found = [
        Record(
            id=entry.id,
            at=moment(entry.recorded_at, zone),
            what=f"{words(f'did_{entry.action}')}: {purpose_name(entry.purpose, words)}",
            wording=entry.evidence.wording,
        )
        for entry in history
    ]
    return found[::-1]


def zone_of(person: Person, *, otherwise: str = "UTC") -> ZoneInfo:
    """Return the person's time zone, or the brand's."""
    return ZoneInfo(person.timezone or otherwise)


def moment(at: datetime, zone: ZoneInfo) -> str:
    """Return a moment as everybody reads it, by the person's clock."""
    there = at.replace(tzinfo=at.tzinfo or UTC).astimezone(zone)
    return f"{there:%Y-%m-%d %H:%M} {there.tzname()}"


def _status(state: ConsentState, words: Words, zone: ZoneInfo, *, blocked: bool) -> str:
    if blocked:
        return words("blocked")
    if state.paused and state.status == "granted":
        if state.paused_until is None:
            return words("pause_open")
        return words("paused", until=moment(state.paused_until, zone))
    since = words(state.status, since=moment(state.since, zone))
    if state.status == "granted" and state.expires_at is not None:
        return f"{since}, {words('until', until=moment(state.expires_at, zone))}"
    return since


def _rank(state: ConsentState) -> tuple[int, str, str]:
    head = state.purpose.partition(".")[0]
    place = _ORDER.index(head) if head in _ORDER else len(_ORDER)
    return place, state.purpose, str(state.account_id)


def _channel(name: str) -> str:
    return CHANNELS.get(name, name.capitalize())


def receipt_fields(signed: SignedReceipt, words: Words, zone: ZoneInfo) -> dict[str, str]:
    """Return what a receipt says, as a person reads it."""
    receipt, event = signed.receipt, signed.receipt.event
    purposes = ", ".join(purpose_name(each.purpose, words) for each in receipt.processing)
    fields = {
        receipt.controller.name: f"{words(f'did_{event.action}')}: {purposes}",
        words("history"): moment(event.recorded_at, zone),
        _channel(event.channel): event.address,
    }
    if event.expires_at is not None:
        fields[words("end")] = moment(event.expires_at, zone)
    if receipt.notice is not None:
        fields[words("words")] = receipt.notice.wording
    fields[words("receipt")] = f"{receipt.record_id} · {receipt.ledger.log} #{receipt.ledger.seq}"
    return fields
