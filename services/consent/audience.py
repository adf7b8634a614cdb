"""Who of an audience may be written to: one page, or all of it counted.

A page is written as JSON straight from the rows; it is the contract `AudiencePage`.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

import orjson

from services.consent import policy, timing
from services.consent.forecast import Lots
from services.consent.queries import audience as queries
from services.consent.queries.audience import FIRST, LAST, Asked, Split, Whose
from services.consent.timing import Timing
from shared.contracts.audiences import (
    AudienceCount,
    AudienceFilter,
    AudienceQuestion,
)
from shared.contracts.forecast import ForecastIn
from shared.database import Database

_TAGS_WINDOW = 10_000
_COUNT_WINDOW = 100_000
_NAMED_WINDOW = 5_000
"""Addresses that one statement looks at."""


async def page(database: Database, question: AudienceQuestion) -> bytes:
    """Return one page. It may be empty and still have a `next`."""
    whose = Whose(question.brand_id, question.account_id, question.purpose)
    meant = question.filter
    if meant.addresses:
        return await _page_of_named(database, whose, question)
    after = question.after or FIRST
    async with database.connection(whose.brand_id) as connection:
        edge = None
        if meant.tags or meant.attributes:
            width = max(question.limit, _TAGS_WINDOW)
            edge = await queries.find_edge(connection, whose, after=after, width=width)
        rows = await queries.page(
            connection,
            whose,
            after=after,
            until=edge or LAST,
            tags=meant.tags or None,
            attributes=meant.attributes,
            limit=question.limit,
        )
    answer = _Page()
    for row in rows:
        if (reason := answer.take(row)) is not None:
            answer.excluded[reason] += 1
    following = rows[-1][0] if len(rows) == question.limit else edge
    return answer.written(following)


async def _page_of_named(database: Database, whose: Whose, question: AudienceQuestion) -> bytes:
    """Answer for each named address, in their order, once."""
    asked = sorted(set(question.filter.addresses))
    start = bisect_right(asked, question.after) if question.after is not None else 0
    addresses = asked[start : start + question.limit]
    async with database.connection(whose.brand_id) as connection:
        rows = await queries.named(connection, whose, addresses=addresses)
    answer = _Page()
    for row in rows:
        if (reason := answer.take(row)) is not None:
            answer.withheld.append({"person_id": row[1], "address": row[0], "reason": reason})
    more = start + len(addresses) < len(asked)
    return answer.written(addresses[-1] if more else None)


async def count(database: Database, question: AudienceQuestion) -> AudienceCount:
    """Count who may be written to and who not, by reason; and of those who may, who would wait."""
    whose = Whose(question.brand_id, question.account_id, question.purpose)
    async with database.connection(whose.brand_id) as connection:
        clock = await timing.of_brand(connection, whose.brand_id, whose.purpose)
    tally = _Tally(clock, question.forecast)
    if question.filter.addresses:
        await _count_named(database, whose, question.filter, tally)
    else:
        await _count_known(database, whose, question.filter, tally)
    return tally.counted()


async def _count_known(
    database: Database, whose: Whose, meant: AudienceFilter, tally: "_Tally"
) -> None:
    after = FIRST
    while True:
        # A transaction for each window: a long one would hold back the clean-up of old rows.
        async with database.connection(whose.brand_id) as connection:
            edge = await queries.find_edge(connection, whose, after=after, width=_COUNT_WINDOW)
            rows = await queries.count(
                connection,
                whose,
                after=after,
                until=edge or LAST,
                tags=meant.tags or None,
                attributes=meant.attributes,
                asked=tally.asked,
            )
        tally.add(rows)
        if edge is None:
            return
        after = edge


async def _count_named(
    database: Database, whose: Whose, meant: AudienceFilter, tally: "_Tally"
) -> None:
    asked = sorted(set(meant.addresses))
    for start in range(0, len(asked), _NAMED_WINDOW):
        addresses = asked[start : start + _NAMED_WINDOW]
        async with database.connection(whose.brand_id) as connection:
            rows = await queries.count_named(
                connection, whose, addresses=addresses, asked=tally.asked
            )
        tally.add(rows)


class _Tally:
    """A count while it goes on."""

    def __init__(self, clock: Timing | None, forecast: ForecastIn | None) -> None:
        self._clock = clock
        self._eligible = 0
        self._excluded: Counter[str] = Counter()
        self._deferred: Counter[str] = Counter()
        self._lots = None if forecast is None else Lots(forecast, clock)
        self.asked = Asked(
            caps=None if clock is None else clock.rules.caps,
            zones=forecast is not None and forecast.wall is not None,
            split=_split(forecast),
        )

    def add(self, rows: Iterable[Any]) -> None:
        """Take in some groups of people who stand alike."""
        for *facts, zone, start, end, full, share, number in rows:
            answer = _permitted(*facts)
            if not answer.allowed:
                self._excluded[answer.reason] += number
                continue
            self._eligible += number
            if self._lots is not None:
                self._lots.add(zone, start, end, full=full, share=share, number=number)
            if self._clock is None:
                continue
            if self._clock.hours and self._clock.quiet_until(zone, start, end) is not None:
                self._deferred[policy.QUIET_HOURS] += number
            elif full:
                self._deferred[policy.CAPPED] += number

    def counted(self) -> AudienceCount:
        """Return the count."""
        return AudienceCount(
            eligible=self._eligible,
            excluded=dict(self._excluded),
            deferred=dict(self._deferred),
            lots=() if self._lots is None else self._lots.told(),
        )


def _split(forecast: ForecastIn | None) -> Split | None:
    if forecast is None or forecast.key is None or not forecast.edges:
        return None
    return Split(forecast.key, forecast.edges)


def _permitted(
    status: str | None, blocked: bool | None, expired: bool | None, paused: bool | None
) -> policy.Permitted:
    return policy.permitted(
        status, blocked=bool(blocked), expired=bool(expired), paused=bool(paused)
    )


class _Page:
    """A page while it is filled."""

    def __init__(self) -> None:
        self.recipients: list[dict[str, Any]] = []
        self.excluded: Counter[str] = Counter()
        self.withheld: list[dict[str, Any]] = []

    def take(self, row: Any) -> str | None:
        """Take a person in, or return the reason why not."""
        address, person_id, language, timezone, *facts, event_id, seq = row
        answer = _permitted(*facts)
        if not answer.allowed:
            return answer.reason
        self.recipients.append(
            {
                "person_id": person_id,
                "address": address,
                "language": language,
                "timezone": timezone,
                "consent_event_id": event_id,
                "seq": seq,
            }
        )
        return None

    def written(self, following: str | None) -> bytes:
        """Return the page as JSON."""
        return orjson.dumps(
            {
                "recipients": self.recipients,
                "excluded": dict(self.excluded),
                "withheld": self.withheld,
                "next": following,
            }
        )
