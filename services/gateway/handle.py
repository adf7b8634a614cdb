"""From what a platform told us to what follows from it.

    wrote       the registry knows; STOP → revocation, START → grant, HELP → reply; told the brand
    started     with a payload → a yes to marketing; bare → grant of service, and the question
    tapped      the button stops turning; ours mean STOP, START, or answer a question; told on
    blocked     a revocation by way of the platform      unblocked   reachable, no new consent
    opted out   a revocation of marketing on the account, said to the platform
    opted in    a grant, by what the platform documents as an opt-in
    left        a revocation of everything on the account
    receipt     to its message                           unknown     kept and counted
    moved       the new address is the person's, without consent; the old one is out of reach

Everything has an id that follows from the stored webhook, so all of it may be done again after a
crash, and nothing happens twice. There is at most one reply to one event.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

import structlog
from prometheus_client import Counter

from channels.registry import CHANNELS
from services.gateway.breaker import Breaker
from services.gateway.eraser import Eraser
from services.gateway.gather import Gather
from services.gateway.letters import API, Letter
from services.gateway.revocations import Revoker, Silenced
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.clients.dispatcher import DispatcherClient
from shared.contracts.accounts import EventIn
from shared.contracts.campaigns import Halt, HouseContent, HouseMessage, ReceiptIn
from shared.contracts.consent import (
    ConsentEventIn,
    ConsentRecorded,
    Evidence,
    Profile,
    Question,
    Scope,
)
from shared.contracts.erasures import Erased
from shared.contracts.inbound import (
    AddressMoved,
    NotUnderstood,
    PersonBlocked,
    PersonLeft,
    PersonOptedIn,
    PersonOptedOut,
    PersonStarted,
    PersonTapped,
    PersonUnblocked,
    PersonWrote,
    ReceiptCame,
)
from shared.contracts.merges import MergeIn, MoveIn
from shared.contracts.stories import Choice

log = structlog.get_logger()

Action = Literal["grant", "confirm", "decline", "revoke", "block", "unblock", "seen", "heard"]

STOP_BUTTON = "permesso:stop"
START_BUTTON = "permesso:start"
_BUTTONS: dict[str, tuple[Action, Scope]] = {
    STOP_BUTTON: ("revoke", Scope.CHANNEL),
    START_BUTTON: ("grant", Scope.PURPOSE),
}
YES_BUTTON = "permesso:yes:"
NO_BUTTON = "permesso:no:"
"""Before the id of the question, in hexadecimal: 45 bytes at most."""
_ANSWER = re.compile(r"permesso:(yes|no):([0-9a-f]{32})\Z")
_LONGEST_QUOTE = 4_096
_LONGEST_WORDING = 10_000
_LONGEST_RAW = 16_384

_EVENTS = Counter("permesso_inbound_events_total", "What platforms told us.", ["channel", "type"])
_UNKNOWN = Counter(
    "permesso_inbound_not_understood_total", "What nothing follows from.", ["channel", "kind"]
)

FromPlatform = PersonOptedOut | PersonOptedIn | PersonLeft
FromPerson = (
    PersonWrote | PersonStarted | PersonTapped | PersonBlocked | PersonUnblocked | FromPlatform
)


@dataclass(slots=True)
class Consequences:
    """What was done about a letter: notes for its row (no words of anybody), and loose ends."""

    notes: list[dict[str, object]] = field(default_factory=list)
    unsettled: list[Halt] = field(default_factory=list)
    recorded: ConsentRecorded | None = None
    erased: Erased | None = None
    raw: str | None = None
    """The letter itself, where it says one thing alone: evidence of that."""


@dataclass(frozen=True)
class Handler:
    """Does what follows from one letter."""

    dispatcher: DispatcherClient
    revoker: Revoker
    desk: Breaker
    """Around each call to the dispatcher, but for halts: those are tried whatever was heard."""
    eraser: Eraser
    told: Gather[EventIn, None] = field(init=False)

    def __post_init__(self) -> None:
        """Brands are told of many events in one call; one that is refused is refused alone."""
        object.__setattr__(self, "told", Gather(self._tell_all, alone=(ServiceRefused,)))

    @property
    def hampered(self) -> bool:
        """Say whether a service that is needed is away."""
        return self.revoker.registry.open or self.desk.open

    async def handle(self, letter: Letter) -> Consequences:
        """Return when all of it is done; raises a `ServiceError` when it has to be tried again."""
        done = Consequences()
        if letter.erases:
            done.erased = await self.eraser.carry(letter.brand_id, letter.erasure())
            return done
        if letter.channel == API:
            await self._obey(letter.order(), done)
            return done
        events = letter.events()
        done.raw = _raw(letter.body) if len(events) == 1 else None
        receipts = [event for event in events if isinstance(event, ReceiptCame)]
        if receipts:
            await self._receive(letter, receipts)
            done.notes.append({"type": "receipt", "count": len(receipts)})
        for event in events:
            _EVENTS.labels(letter.channel, event.type).inc()
            match event:
                case PersonWrote():
                    await self._wrote(letter, event, done)
                case PersonStarted():
                    await self._started(letter, event, done)
                case PersonTapped():
                    await self._tapped(letter, event, done)
                case PersonBlocked():
                    await self._revoke(_consent(letter, event, "block"), done)
                case PersonUnblocked():
                    await self.revoker.record(_consent(letter, event, "unblock"))
                case PersonOptedOut():
                    await self._revoke(_opted_out(letter, event), done)
                case PersonOptedIn():
                    await self.revoker.record(_opted_in(letter, event))
                case PersonLeft():
                    await self._left(letter, event, done)
                case NotUnderstood():
                    _UNKNOWN.labels(letter.channel, event.kind.partition(".")[0][:40]).inc()
                case AddressMoved():
                    await self.revoker.move(_move(letter, event))
                case ReceiptCame():
                    pass
            if not isinstance(event, ReceiptCame):
                done.notes.append({"type": event.type, "key": event.key})
        return done

    async def _wrote(self, letter: Letter, event: PersonWrote, done: Consequences) -> None:
        """Let the registry find out what was said; answer once, where an answer is owed."""
        said = _consent(letter, event, "heard", evidence=_heard(letter, event))
        recorded = await self._carry(letter, event, said, done)
        await self._tell(letter, event, recorded, kind=event.kind, text=event.text)

    async def _tapped(self, letter: Letter, event: PersonTapped, done: Consequences) -> None:
        if event.tap_id is not None:
            try:
                async with self.desk:
                    await self.dispatcher.acknowledge(
                        letter.brand_id, letter.account_id, event.tap_id
                    )
            except (ServiceUnavailable, ServiceRefused) as error:
                log.info("tap.unacknowledged", inbox=str(letter.id), error=type(error).__name__)
        action, scope, question = _meant(event.data)
        rule = None if action == "seen" else f"button:{event.data}"
        evidence = _evidence(letter, event, source="button", rule=rule)
        said = _consent(letter, event, action, scope=scope, evidence=evidence)
        said = said.model_copy(update={"question": question})
        recorded = await self._carry(letter, event, said, done)
        await self._tell(letter, event, recorded, kind="tap", tapped=event.data)

    async def _started(self, letter: Letter, event: PersonStarted, done: Consequences) -> None:
        """A link of ours that was followed is a yes; a bare start says that a bot was opened."""
        invited = event.payload is not None
        source = f"{letter.channel}.start"
        said = _consent(
            letter,
            event,
            "grant",
            purpose="marketing" if invited else "service",
            evidence=_evidence(letter, event, source=source, payload=event.payload),
        )
        recorded = await self._carry(letter, event, said, done)
        await self._tell(letter, event, recorded, kind="start", payload=event.payload)

    async def _left(self, letter: Letter, event: PersonLeft, done: Consequences) -> None:
        """Whoever left is written to no more: not even for service, whatever it was agreed to."""
        await self._revoke(_gone(letter, event), done)

    async def _carry(
        self, letter: Letter, event: FromPerson, said: ConsentEventIn, done: Consequences
    ) -> ConsentRecorded:
        """Record it, carry a no to its end, and only then give the one answer that is owed."""
        owed = {
            "wants_reply": True,
            "reply_id": _reply_id(letter, event),
            "evidence": said.evidence.model_copy(update={"raw": done.raw}),
        }
        recorded = await self._revoke(said.model_copy(update=owed), done)
        if recorded.reply is not None:
            content = HouseContent(text=recorded.reply, choices=_choices(recorded.question))
            await self._reply(letter, event, content, recorded.person_id)
        return recorded

    async def _obey(self, order: ConsentEventIn | MergeIn, done: Consequences) -> None:
        if isinstance(order, MergeIn):
            self._note(await self.revoker.merge(order), done)
        else:
            await self._revoke(order, done)

    async def _revoke(self, event: ConsentEventIn, done: Consequences) -> ConsentRecorded:
        return self._note(await self.revoker.carry(event), done)

    @staticmethod
    def _note(silenced: Silenced, done: Consequences) -> ConsentRecorded:
        done.unsettled.extend(silenced.unsettled)
        done.recorded = silenced.recorded
        return silenced.recorded

    async def _reply(
        self, letter: Letter, event: FromPerson, content: HouseContent, person_id: UUID
    ) -> None:
        """Queue the one reply to this event. A refusal of it is noted; all else was done."""
        message = HouseMessage(
            id=_reply_id(letter, event),
            account_id=letter.account_id,
            address=event.address,
            purpose="reply",
            content=content,
            person_id=person_id,
        )
        try:
            async with self.desk:
                await self.dispatcher.put_message(letter.brand_id, message.id, message)
        except ServiceRefused as error:
            log.warning("reply.refused", inbox=str(letter.id), code=error.code)

    async def _tell(
        self,
        letter: Letter,
        event: PersonWrote | PersonStarted | PersonTapped,
        recorded: ConsentRecorded,
        **said: object,
    ) -> None:
        """Let the brand know what a person said to it."""
        told: dict[str, object] = {
            "inbox_id": str(letter.id),
            "account_id": str(letter.account_id),
            "channel": letter.channel,
            "person_id": str(recorded.person_id),
            "address": event.address,
            "at": event.at.isoformat(),
            "language": event.language,
            "platform_id": event.platform_id,
            "reply_to": getattr(event, "reply_to", None),
            "keyword": recorded.heard.meaning if recorded.heard else None,
            **said,
        }
        received = EventIn(
            id=letter.id_for(event.key, "received"),
            brand_id=letter.brand_id,
            type="message.received",
            timestamp=letter.received_at,
            data={name: value for name, value in told.items() if value is not None},
        )
        await self.told(received)

    async def _tell_all(self, events: Sequence[EventIn]) -> list[None]:
        async with self.desk:
            await self.dispatcher.tell(events)
        return [None] * len(events)

    async def _receive(self, letter: Letter, receipts: list[ReceiptCame]) -> None:
        told = [
            ReceiptIn(
                id=letter.id_for(receipt.key, "receipt"),
                account_id=letter.account_id,
                platform_id=receipt.platform_id,
                status=receipt.status,
                at=receipt.at,
                code=receipt.code,
            )
            for receipt in receipts
        ]
        async with self.desk:
            await self.dispatcher.receipts(letter.brand_id, told)


def _meant(data: str) -> tuple[Action, Scope, UUID | None]:
    """Return what a tapped button says, and the question that it answers."""
    if answered := _ANSWER.match(data):
        yes, question = answered.groups()
        return "confirm" if yes == "yes" else "decline", Scope.PURPOSE, UUID(question)
    return *_BUTTONS.get(data, ("seen", Scope.PURPOSE)), None


def _choices(question: Question | None) -> tuple[Choice, ...]:
    """Return the buttons below a question."""
    if question is None:
        return ()
    return (
        Choice(label=question.yes, data=f"{YES_BUTTON}{question.id.hex}"),
        Choice(label=question.no, data=f"{NO_BUTTON}{question.id.hex}"),
    )


def _reply_id(letter: Letter, event: FromPerson) -> UUID:
    return letter.id_for(event.key, "reply")


def _raw(body: bytes) -> str | None:
    """Return a webhook as it came, unless it is too long or no text."""
    try:
        raw = body.decode()
    except UnicodeDecodeError:
        return None
    return raw if len(body) <= _LONGEST_RAW else None


def _consent(
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
        evidence=evidence or _evidence(letter, event, source="chat"),
        profile=Profile(language=event.language, name=event.name),
    )


def _move(letter: Letter, event: AddressMoved) -> MoveIn:
    return MoveIn(
        id=letter.id_for(event.key, "moved"),
        brand_id=letter.brand_id,
        account_id=letter.account_id,
        address=event.address,
        new_address=event.new_address,
        at=event.at,
        inbox_id=letter.id,
    )


def _opted_out(letter: Letter, event: PersonOptedOut) -> ConsentEventIn:
    said = _consent(
        letter, event, "revoke", scope=Scope.ACCOUNT, evidence=_told(letter, event, "opt_out")
    )
    return said.model_copy(update={"reason": "platform_opt_out"})


def _opted_in(letter: Letter, event: PersonOptedIn) -> ConsentEventIn:
    evidence = _told(letter, event, "opt_in")
    wording = event.wording[:_LONGEST_WORDING] if event.wording else None
    evidence = evidence.model_copy(update={"wording": wording})
    return _consent(letter, event, "grant", evidence=evidence)


def _gone(letter: Letter, event: PersonLeft) -> ConsentEventIn:
    said = _consent(
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
    return _evidence(letter, event, source=f"{letter.channel}.{what}", rule=event.signal[:200])


def _heard(letter: Letter, event: PersonWrote) -> Evidence:
    """Return a person's words with where they stood: only plain words to the brand can be a yes."""
    plain = event.kind == "text" and not CHANNELS[letter.channel].is_group(event.address)
    source = "chat" if plain else f"chat.{event.kind[:40]}"
    return _evidence(letter, event, source=source, text=event.text)


def _evidence(
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
