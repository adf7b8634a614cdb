"""What a person or a platform did, as the registry is told: the event and its evidence. Pure."""

from typing import Literal
from uuid import UUID

from channels.registry import CHANNELS
from services.gateway.letters import Letter
from shared import buttons
from shared.contracts.consent import ConsentEventIn, Evidence, Profile, Scope
from shared.contracts.inbound import (
    AddressMoved,
    PersonBlocked,
    PersonLeft,
    PersonOptedIn,
    PersonOptedOut,
    PersonStarted,
    PersonTapped,
    PersonUnblocked,
    PersonWrote,
)
from shared.contracts.merges import MoveIn

Action = Literal["grant", "confirm", "decline", "revoke", "block", "unblock", "seen", "heard"]

STOP_BUTTON = "permesso:stop"
START_BUTTON = "permesso:start"
_BUTTONS: dict[str, tuple[Action, Scope]] = {
    STOP_BUTTON: ("revoke", Scope.CHANNEL),
    START_BUTTON: ("grant", Scope.PURPOSE),
}
_LONGEST_QUOTE = 4_096
_LONGEST_WORDING = 10_000
_LONGEST_RAW = 16_384

FromPlatform = PersonOptedOut | PersonOptedIn | PersonLeft
FromPerson = (
    PersonWrote | PersonStarted | PersonTapped | PersonBlocked | PersonUnblocked | FromPlatform
)


def meant(data: str) -> tuple[Action, Scope, UUID | None]:
    """Return what a tapped button says, and the question that it answers."""
    if answered := buttons.answered(data):
        said, question = answered
        return "confirm" if said == "yes" else "decline", Scope.PURPOSE, question
    return *_BUTTONS.get(data, ("seen", Scope.PURPOSE)), None


def reply_id(letter: Letter, event: FromPerson) -> UUID:
    """Return the id of the one reply to an event."""
    return letter.id_for(event.key, "reply")


def raw(body: bytes) -> str | None:
    """Return a webhook as it came, unless it is too long or no text."""
    try:
        raw = body.decode()
    except UnicodeDecodeError:
        return None
    return raw if len(body) <= _LONGEST_RAW else None


def consent(
    letter: Letter,
    event: FromPerson,
    action: Action,
    *,
    purpose: str = "marketing",
    scope: Scope = Scope.PURPOSE,
    evidence: Evidence | None = None,
) -> ConsentEventIn:
    """Say to the registry what a person did."""
    return ConsentEventIn(
        id=letter.id_for(event.key, action),
        brand_id=letter.brand_id,
        action=action,
        account_id=letter.account_id,
        address=event.address,
        purpose=purpose,
        scope=scope,
        evidence=evidence or evidence_of(letter, event, source="chat"),
        profile=Profile(language=event.language, name=event.name),
    )


def moved(letter: Letter, event: AddressMoved) -> MoveIn:
    """Say that a conversation has another address."""
    return MoveIn(
        id=letter.id_for(event.key, "moved"),
        brand_id=letter.brand_id,
        account_id=letter.account_id,
        address=event.address,
        new_address=event.new_address,
        at=event.at,
        inbox_id=letter.id,
    )


def opted_out(letter: Letter, event: PersonOptedOut) -> ConsentEventIn:
    """Say that a person refused marketing on this account, to the platform."""
    said = consent(
        letter, event, "revoke", scope=Scope.ACCOUNT, evidence=_told(letter, event, "opt_out")
    )
    return said.model_copy(update={"reason": "platform_opt_out"})


def opted_in(letter: Letter, event: PersonOptedIn) -> ConsentEventIn:
    """Say that a person agreed by what the platform documents as an opt-in."""
    evidence = _told(letter, event, "opt_in")
    wording = event.wording[:_LONGEST_WORDING] if event.wording else None
    evidence = evidence.model_copy(update={"wording": wording})
    return consent(letter, event, "grant", evidence=evidence)


def gone(letter: Letter, event: PersonLeft) -> ConsentEventIn:
    """Say that a person left the account."""
    said = consent(
        letter,
        event,
        "revoke",
        purpose="service",
        scope=Scope.ACCOUNT,
        evidence=_told(letter, event, "left"),
    )
    return said.model_copy(update={"reason": "platform_left"})


def _told(letter: Letter, event: FromPlatform, what: str) -> Evidence:
    """Return how a platform told it: `whatsapp.opt_out`, and what it calls that itself."""
    return evidence_of(letter, event, source=f"{letter.channel}.{what}", rule=event.signal[:200])


def heard(letter: Letter, event: PersonWrote) -> Evidence:
    """Return a person's words with where they stood: only plain words to the brand can be a yes."""
    plain = event.kind == "text" and not CHANNELS[letter.channel].is_group(event.address)
    source = "chat" if plain else f"chat.{event.kind[:40]}"
    return evidence_of(letter, event, source=source, text=event.text)


def evidence_of(
    letter: Letter,
    event: FromPerson,
    *,
    source: str,
    payload: str | None = None,
    rule: str | None = None,
    text: str | None = None,
) -> Evidence:
    """Return how it was said. The registry keeps the words only where they decided something."""
    platform_id = getattr(event, "platform_id", None)
    return Evidence(
        source=source,
        at=event.at,
        payload=payload[:256] if payload else None,
        platform_id=platform_id[:256] if platform_id else None,
        inbox_id=letter.id,
        rule=rule,
        text=text[:_LONGEST_QUOTE] if text else None,
    )
