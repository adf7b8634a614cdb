"""Ask consent about everybody of a batch, and let those who may not be sent to leave it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any, TypeVar

from services.dispatcher.hand import Hand
from services.dispatcher.queries import messages
from services.dispatcher.queries.lanes import Lane
from services.dispatcher.queries.slips import Claimed
from shared import clock
from shared.clients.consent import ConsentClient
from shared.database import Database

_Row = TypeVar("_Row", bound=tuple[Any, ...])
"""Something whose first field is the message."""

Granted = tuple[Claimed, str | None]
"""A message that may be sent, and the consent event that says so."""


class Asking:
    """One lane's questions."""

    def __init__(self, database: Database, consent: ConsentClient, lane: Lane, hand: Hand) -> None:
        """Ask `consent`; what is not sent leaves `hand`."""
        self._database = database
        self._consent = consent
        self._lane = lane
        self._hand = hand
        self.all_wait = False
        """Everybody who was asked about last has to wait: at night, that is a whole campaign."""

    async def ask(self, batch: Sequence[Claimed]) -> list[Granted]:
        """Return who may be written to.

        Those who may not be are withheld from, those who have to wait are put off: but for what
        would be too late then, which is withheld for the same reason. `ServiceUnavailable` comes
        through, and nothing has changed.
        """
        late = clock.now()
        withheld: list[tuple[Claimed, str, str | None]] = []
        waits: list[tuple[Claimed, str | None, datetime]] = []
        granted: list[Granted] = []
        asked: dict[str, list[Claimed]] = defaultdict(list)
        for message in batch:
            if message.deadline and message.deadline <= late:
                withheld.append((message, "too_late", None))
            else:
                asked[message.purpose].append(message)
        for purpose, of_purpose in asked.items():
            answers = await self._consent.check(
                brand_id=self._lane.brand_id,
                account_id=self._lane.id,
                purpose=purpose,
                addresses=[m.address for m in of_purpose],
                messages=[m.id for m in of_purpose],
            )
            for message, answer in zip(of_purpose, answers, strict=True):
                if answer.allowed:
                    granted.append((message, answer.consent_event_id))
                elif answer.until is not None and not _ends_before(message, answer.until):
                    waits.append((message, answer.reason, answer.until))
                else:
                    withheld.append((message, answer.reason, answer.consent_event_id))
        if withheld:
            await self._withhold(withheld)
        if waits:
            await self.put_off(waits)
        self.all_wait = len(waits) == len(batch)
        return granted

    async def put_off(self, waits: Sequence[tuple[Claimed, str | None, datetime]]) -> None:
        """Let messages wait until a moment each, for a reason that they will tell or for none."""
        for day, rows in _by_day(waits):
            async with self._database.statement(self._lane.brand_id) as connection:
                await messages.put_off(
                    connection,
                    brand_id=self._lane.brand_id,
                    day=day,
                    account_id=self._lane.id,
                    waits=[(m.id, m.slip_id, m.campaign_id, why, at) for m, why, at in rows],
                )
            self._hand.landed(m for m, _, _ in rows)

    async def _withhold(self, reasons: Sequence[tuple[Claimed, str, str | None]]) -> None:
        for day, rows in _by_day(reasons):
            async with self._database.statement(self._lane.brand_id) as connection:
                await messages.withhold(
                    connection,
                    brand_id=self._lane.brand_id,
                    day=day,
                    reasons=[(m.id, m.slip_id, why, event_id) for m, why, event_id in rows],
                )
            self._hand.landed(m for m, _, _ in rows)


def _ends_before(message: Claimed, moment: datetime) -> bool:
    return message.deadline is not None and message.deadline <= moment


def _by_day(rows: Sequence[_Row]) -> list[tuple[date, list[_Row]]]:
    """Group rows by their message's day."""
    ordered = sorted(rows, key=lambda row: row[0].day)
    return [(day, list(of_day)) for day, of_day in groupby(ordered, key=lambda row: row[0].day)]
