"""From a page of an audience to its messages: who gets what, in which language, when. Pure."""

from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any

from services.dispatcher.audience import Page
from services.dispatcher.queries.accounts import AccountRow
from services.dispatcher.queries.expansion import Line
from services.dispatcher.renderings import choose_language
from services.dispatcher.shares import HOLD_OUT, shares_of
from shared.contracts.audiences import (
    Recipient,
)
from shared.local_time import moment_of

TOO_LATE = "too_late"
ZONE_FALLBACK = "zone_fallback"


def lines_of(
    row: Mapping[str, Any],
    account: AccountRow,
    parts: dict[str, dict[str, int]],
    languages: dict[str, str],
    page: Page,
) -> list[Line]:
    """Return a page's messages, in the order of addresses: two workers then never deadlock.

    `row` is the campaign's; `parts` says how many there are by variant and language, `languages`
    which one is the own one of each variant's story.
    """
    tongues = _Tongues(parts, languages)
    shares = shares_of(row["id"], row["hold_out"], row["variants"])
    hours = _Hours(row, account)
    lines = []
    for person in page.recipients:
        share = 0 if shares.single else shares.of(person.person_id)
        variant = shares.variant(share)
        language, number = tongues.of(variant, person.language)
        due_at, reason, late = hours.of(person)
        withheld = HOLD_OUT if shares.held_out(share) else late
        lines.append(
            Line(
                person_id=person.person_id,
                address=person.address,
                language=language,
                parts=number,
                due_at=due_at,
                grant_seq=person.seq,
                consent_event_id=person.consent_event_id,
                withheld=withheld,
                reason=reason,
                variant=variant,
            )
        )
    language, number = tongues.of(None, None)
    for left in page.withheld:
        lines.append(
            Line(
                person_id=left.person_id,
                address=left.address,
                language=language,
                parts=number,
                due_at=row["launched_at"],
                grant_seq=0,
                consent_event_id=None,
                withheld=left.reason,
            )
        )
    lines.sort(key=itemgetter(0))
    return lines


def zone_of(account: AccountRow) -> str:
    """Return the time zone that counts for who has none of use."""
    return str(account.settings.get("timezone") or "UTC")


class _Hours:
    """When each person's message is due."""

    def __init__(self, row: Mapping[str, Any], account: AccountRow) -> None:
        self._at: datetime = row["launched_at"]
        self._deadline: datetime | None = row["deadline"]
        self._wall: datetime | None = row["send_at"] if row["recipient_local_time"] else None
        self._zone = zone_of(account)

    def of(self, person: Recipient) -> tuple[datetime, str | None, str | None]:
        """Return when it is due, what is to be said of that, and why it is too late, if it is."""
        due_at, fell_back = self._at, False
        if self._wall is not None:
            due_at, fell_back = moment_of(self._wall, person.timezone, self._zone)
            due_at = max(due_at, self._at)
        late = self._deadline is not None and due_at >= self._deadline
        return due_at, ZONE_FALLBACK if fell_back else None, TOO_LATE if late else None


class _Tongues:
    """Which of a variant's languages each person is written to in, and in how many parts.

    Who gets no variant is noted with the first one's.
    """

    def __init__(self, parts: dict[str, dict[str, int]], languages: dict[str, str]) -> None:
        self._parts = parts
        self._languages = languages
        self._chosen: dict[tuple[str | None, str | None], tuple[str, int]] = {}

    def of(self, variant: str | None, wanted: str | None) -> tuple[str, int]:
        """Return the language for who wants this one, and its parts."""
        key = (variant, wanted)
        if (found := self._chosen.get(key)) is None:
            name = next(iter(self._parts)) if variant is None else variant
            parts = self._parts[name]
            # A story's own language may have been changed since the launch.
            own = self._languages.get(name)
            default = own if own in parts else next(iter(parts))
            language = choose_language(wanted, parts, default=default)
            found = self._chosen[key] = (language, parts[language])
        return found
