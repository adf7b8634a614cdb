"""From what a platform told us to what follows from it.

    wrote       the registry knows; STOP → revocation, START → grant, HELP → reply; told the brand
    started     with a payload → a yes to marketing; bare → grant of service, and the question
    tapped      the button stops turning; ours mean STOP, START, or answer a question; told on
    blocked     a revocation by way of the platform      unblocked   reachable, no new consent
    opted out   a revocation of marketing on the account, said to the platform
    opted in    a grant, by what the platform documents as an opt-in
    left        a revocation of everything on the account; an erasure where the platform wants it
    receipt     to its message                           unknown     kept and counted
    moved       the new address is the person's, without consent; the old one is out of reach

Everything has an id that follows from the stored webhook, so all of it may be done again after a
crash, and nothing happens twice. There is at most one reply to one event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from prometheus_client import Counter

from channels.registry import CHANNELS
from services.gateway import sayings
from services.gateway.breaker import Breaker
from services.gateway.eraser import Eraser, order_id
from services.gateway.gather import Gather
from services.gateway.letters import API, Letter
from services.gateway.links import Links
from services.gateway.revocations import Revoker, Silenced
from services.gateway.sayings import FromPerson
from shared import buttons, failpoints
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.clients.dispatcher import DispatcherClient
from shared.contracts.accounts import EventIn
from shared.contracts.consent import (
    ConsentEventIn,
    ConsentRecorded,
)
from shared.contracts.erasures import Erased, ErasureOrder
from shared.contracts.halts import Halt
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
from shared.contracts.merges import MergeIn
from shared.contracts.messages import HouseContent, HouseMessage, ReceiptIn

log = structlog.get_logger()


_EVENTS = Counter("permesso_inbound_events_total", "What platforms told us.", ["channel", "type"])
_UNKNOWN = Counter(
    "permesso_inbound_not_understood_total", "What nothing follows from.", ["channel", "kind"]
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
    links: Links
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
        done.raw = sayings.raw(letter.body) if len(events) == 1 else None
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
                    await self._revoke(sayings.consent(letter, event, "block"), done)
                case PersonUnblocked():
                    await self.revoker.record(sayings.consent(letter, event, "unblock"))
                case PersonOptedOut():
                    await self._revoke(sayings.opted_out(letter, event), done)
                case PersonOptedIn():
                    await self.revoker.record(sayings.opted_in(letter, event))
                case PersonLeft():
                    await self._left(letter, event, done)
                case NotUnderstood():
                    _UNKNOWN.labels(letter.channel, event.kind.partition(".")[0][:40]).inc()
                case AddressMoved():
                    await self.revoker.move(sayings.moved(letter, event))
                case ReceiptCame():
                    pass
            if not isinstance(event, ReceiptCame):
                done.notes.append({"type": event.type, "key": event.key})
        return done

    async def _wrote(self, letter: Letter, event: PersonWrote, done: Consequences) -> None:
        """Let the registry find out what was said; answer once, where an answer is owed."""
        said = sayings.consent(letter, event, "heard", evidence=sayings.heard(letter, event))
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
        action, scope, question = sayings.meant(event.data)
        rule = None if action == "seen" else f"button:{event.data}"
        evidence = sayings.evidence_of(letter, event, source="button", rule=rule)
        said = sayings.consent(letter, event, action, scope=scope, evidence=evidence)
        said = said.model_copy(update={"question": question})
        recorded = await self._carry(letter, event, said, done)
        await self._tell(letter, event, recorded, kind="tap", tapped=event.data)

    async def _started(self, letter: Letter, event: PersonStarted, done: Consequences) -> None:
        """A link of ours that was followed is a yes; a bare start says that a bot was opened."""
        invited = event.payload is not None
        source = f"{letter.channel}.start"
        said = sayings.consent(
            letter,
            event,
            "grant",
            purpose="marketing" if invited else "service",
            evidence=sayings.evidence_of(letter, event, source=source, payload=event.payload),
        )
        recorded = await self._carry(letter, event, said, done)
        await self._tell(letter, event, recorded, kind="start", payload=event.payload)

    async def _left(self, letter: Letter, event: PersonLeft, done: Consequences) -> None:
        """Whoever left is written to no more: not even for service, whatever it was agreed to.

        Where the platform demands it they are forgotten as well, once that is in force. A repeat
        finds whom it was about in the ledger, and brings nobody back.
        """
        recorded = await self._revoke(sayings.gone(letter, event), done)
        if CHANNELS[letter.channel].capabilities.leaving_erases:
            await failpoints.reach("gateway.left_revoked")
            who = recorded.person_id
            order = ErasureOrder(id=order_id(letter.brand_id, who), person_id=who, by="platform")
            done.erased = await self.eraser.carry(letter.brand_id, order)

    async def _carry(
        self, letter: Letter, event: FromPerson, said: ConsentEventIn, done: Consequences
    ) -> ConsentRecorded:
        """Record it, carry a no to its end, and only then give the one answer that is owed."""
        owed = {
            "wants_reply": True,
            "reply_id": sayings.reply_id(letter, event),
            "evidence": said.evidence.model_copy(update={"raw": done.raw}),
        }
        recorded = await self._revoke(said.model_copy(update=owed), done)
        if recorded.reply is not None:
            text = self._with_link(letter, event, recorded, recorded.reply)
            content = HouseContent(text=text, choices=buttons.below(recorded.question))
            await self._reply(letter, event, content, recorded.person_id)
        return recorded

    def _with_link(
        self, letter: Letter, event: FromPerson, recorded: ConsentRecorded, words: str
    ) -> str:
        """Add the link to the person's own page; never where others would read it."""
        if recorded.reply_link is None or CHANNELS[letter.channel].is_group(event.address):
            return words
        url = self.links.url(letter.brand_id, recorded.person_id, now=letter.received_at)
        return f"{words}\n\n{recorded.reply_link} {url}"

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
            id=sayings.reply_id(letter, event),
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
