"""Put a message's proof together: the dispatcher's facts, consent's evidence, the stored webhook.

    message → the consent that permitted it, or kept it back → its evidence → the log's proof of it

The log has signed the consents long before. All the rest is this house's own word, which the
`statement` binds: the document's hash under the log's key.
"""

from hashlib import sha256
from typing import Final
from uuid import UUID

from services.gateway.house import House
from services.gateway.letters import API, Letter
from services.gateway.queries import inbox
from shared import clock
from shared.contracts.messages import Message, MessageStatus
from shared.contracts.proofs import (
    MessageProof,
    ProvenConsent,
    ProvenContent,
    ProvenEvent,
    ProvenPermission,
    SentContent,
    Webhook,
)
from shared.ledger import entries

ASKED_WITHIN: Final = 5
"""Seconds for which a permission is good (docs/protocol.md)."""
_REFUSALS: Final = frozenset(
    {
        *("no_consent", "pending", "revoked", "expired", "blocked"),
        *("paused", "quiet_hours", "cap", "used_up"),
    }
)
"""Reasons that consent gives; a message may be withheld for others too, such as `too_late`."""

_KEPT_BACK: Final = (MessageStatus.WITHHELD, MessageStatus.PARTIAL)


async def build(
    house: House, brand_id: UUID, message_id: UUID, *, size: int | None
) -> MessageProof:
    """Return the proof of a message.

    Raises `Problem` 404 where there is no such message, and `ServiceRefused` for what consent
    cannot prove: `not_logged_yet`, `no_checkpoint`, `ledger_damaged`.
    """
    message = await house.dispatcher.get_message(brand_id, message_id)
    content = await house.dispatcher.get_content(brand_id, message_id)
    consents: tuple[ProvenConsent, ...] = ()
    if message.consent_event_id is not None:
        found = await house.consent.dossier(brand_id, message.consent_event_id, size=size)
        consents = tuple([await _with_webhook(house, brand_id, each) for each in found.events])
    proof = MessageProof(
        brand_id=brand_id,
        issued_at=clock.now(),
        message=message,
        content=_proven(content),
        permission=_permission(message),
        consents=consents,
        statement="",
    )
    said = proof.model_dump(mode="json", exclude={"statement"})
    signed = await house.consent.state(brand_id, entries.document_hash(said))
    return proof.model_copy(update={"statement": signed.note})


def _proven(content: SentContent) -> ProvenContent | None:
    if not content.parts:
        return None
    parts = content.model_dump(mode="json")["parts"]
    return ProvenContent(**dict(content), sha256=entries.document_hash(parts))


def _permission(message: Message) -> ProvenPermission:
    """Say what was answered, as far as the message's own row tells it."""
    allowed, reason = None, None
    if message.status in _KEPT_BACK and message.reason in _REFUSALS:
        # A partial message was, when consent said no between two of its parts.
        allowed, reason = False, message.reason
    elif message.status is MessageStatus.WITHHELD:
        reason = message.reason
    elif message.attempts:
        allowed, reason = True, "reply" if message.purpose == "reply" else "granted"
    return ProvenPermission(
        allowed=allowed,
        reason=reason,
        consent_event_id=message.consent_event_id,
        asked_within_seconds=ASKED_WITHIN,
    )


async def _with_webhook(house: House, brand_id: UUID, event: ProvenEvent) -> ProvenConsent:
    webhook = None
    if event.evidence is not None and event.evidence.inbox_id is not None:
        webhook = await _webhook(house, brand_id, event.evidence.inbox_id)
    return ProvenConsent(**dict(event), webhook=webhook)


async def _webhook(house: House, brand_id: UUID, inbox_id: UUID) -> Webhook | None:
    async with house.database.connection(brand_id) as connection:
        row = await inbox.raw(connection, brand_id=brand_id, inbox_id=inbox_id)
    if row is None or row["channel"] == API:
        return None
    letter = Letter.of(brand_id, row)
    return Webhook(
        inbox_id=letter.id,
        channel=letter.channel,
        received_at=letter.received_at,
        sha256=sha256(letter.body).hexdigest(),
        body=_own_words(letter),
    )


def _own_words(letter: Letter) -> str | None:
    """Return the webhook's text where it is about one person: platforms put several into one."""
    spoken = {getattr(event, "address", None) for event in letter.events()}
    try:
        return letter.body.decode() if len(spoken) == 1 else None
    except UnicodeDecodeError:
        return None
