"""Import people from a brand's own records: only with evidence, and never over a no.

    a row → unreadable, or no evidence          → quarantined: its number and the reason are kept
          → said no before, or has run out      → suppressed: the same
          → may be written to already           → known
          → a line of the ledger, and a state   → granted

The rows come in lots, each numbered by its place in the file and done in one transaction, so an
import that broke off goes on where it was.
"""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

import asyncpg

from services.consent import policy, terms
from services.consent.evidence import Halves, Subject
from services.consent.queries import imports as queries
from services.consent.queries import people
from services.consent.queries.imports import Yes
from services.consent.queries.people import Place
from services.consent.registry import Registry
from services.consent.texts import language_tag
from shared.contracts.consent import Evidence
from shared.contracts.imports import AsideRow, AsideRows, Import, ImportIn, ImportRow, ImportRows
from shared.ids import derived_id, new_id
from shared.problems import Problem


async def begin(registry: Registry, wanted: ImportIn) -> Import:
    """Begin an import, or return how far it is. Raises 404 and 409 `Problem`s."""
    async with registry.database.connection(wanted.brand_id) as connection:
        await _place(connection, wanted.brand_id, wanted.account_id)
        row = await queries.begin(
            connection,
            brand_id=wanted.brand_id,
            import_id=wanted.id,
            account_id=wanted.account_id,
            purpose=wanted.purpose,
        )
    if (row["account_id"], row["purpose"]) != (wanted.account_id, wanted.purpose):
        raise Problem(409, "id_reused", "This id is of an import for something else.")
    return _shown(row)


async def add(registry: Registry, brand_id: UUID, import_id: UUID, lot: ImportRows) -> Import:
    """Import some rows; those that were imported already change nothing."""
    async with registry.database.connection(brand_id) as connection:
        row = await _locked(connection, brand_id, import_id)
        new = lot.rows[max(0, row["rows"] + 1 - lot.first) :]
        if not new:
            return _shown(row)
        if row["ended_at"] is not None:
            raise Problem(409, "import_ended", "This import has ended.")
        first = row["rows"] + 1
        if lot.first > first:
            raise Problem(409, "rows_missing", f"The next row is number {first}.")
        place = await _place(connection, brand_id, row["account_id"])
        work = _Lot(registry, connection, place, import_id, row["purpose"])
        await work.run(dict(enumerate(new, first)))
        counts = {"rows": len(new), "granted": len(work.yeses), "known": work.known}
        kinds = Counter(kind for kind, _ in work.aside.values())
        told = Counter(row["reasons"]) + Counter(reason for _, reason in work.aside.values())
        row = await queries.count(
            connection,
            brand_id=brand_id,
            import_id=import_id,
            counts={**counts, **kinds},
            reasons=told,
        )
    return _shown(row)


async def end(registry: Registry, brand_id: UUID, import_id: UUID) -> Import:
    """Say that the file is read to its end."""
    async with registry.database.connection(brand_id) as connection:
        await _locked(connection, brand_id, import_id)
        return _shown(await queries.end(connection, brand_id=brand_id, import_id=import_id))


async def read(registry: Registry, brand_id: UUID, import_id: UUID) -> Import:
    """Return how far an import is."""
    async with registry.database.connection(brand_id) as connection:
        row = await queries.find(connection, brand_id=brand_id, import_id=import_id)
    if row is None:
        raise _unknown()
    return _shown(row)


async def read_aside(
    registry: Registry, brand_id: UUID, import_id: UUID, *, after: int, limit: int
) -> AsideRows:
    """Return which rows brought no consent, and why."""
    async with registry.database.connection(brand_id) as connection:
        if await queries.find(connection, brand_id=brand_id, import_id=import_id) is None:
            raise _unknown()
        rows = await queries.aside(
            connection, brand_id=brand_id, import_id=import_id, after=after, limit=limit
        )
    items = tuple(AsideRow(**row) for row in rows)
    return AsideRows(items=items, next=items[-1].row if len(items) == limit else None)


class _Lot:
    """The rows of one transaction, and what becomes of each."""

    def __init__(
        self,
        registry: Registry,
        connection: asyncpg.Connection,
        place: Place,
        import_id: UUID,
        purpose: str,
    ) -> None:
        self._registry = registry
        self._connection = connection
        self._place = place
        self._import_id = import_id
        self._purpose = purpose
        self.aside: dict[int, tuple[str, str]] = {}
        """Row → `suppressed` or `quarantined`, and why."""
        self.yeses: list[Yes] = []
        self.known = 0
        self._granted: list[int] = []

    async def run(self, rows: Mapping[int, ImportRow]) -> None:
        """Do all of it, under the locks of all these people."""
        proven = self._proven(rows)
        addresses = dict.fromkeys(row.address for row in proven.values() if row.address)
        if addresses:
            met = {address: new_id() for address in addresses}
            persons = await queries.lock_people(
                self._connection, self._place, met=met, suppressor=self._registry.suppressor
            )
            await self._judge(proven, persons)
            await self._seal(proven, persons)
            await self._describe(proven, persons)
        if self.yeses:
            await self._grant()
        if self.aside:
            await queries.set_aside(
                self._connection,
                brand_id=self._place.brand_id,
                import_id=self._import_id,
                reasons={number: reason for number, (_, reason) in self.aside.items()},
            )

    async def _grant(self) -> None:
        """Let them hold, for as long as a yes to this is good here."""
        rules = self._place.policy
        lasts = terms.good_for(
            self._purpose, country=self._place.country, chosen=rules.expires_after_days
        )
        days = rules.refresh_days
        after = None if lasts is None else terms.ask_after(self._purpose, lasts=lasts, days=days)
        await queries.grant(
            self._connection,
            self._place,
            purpose=self._purpose,
            yeses=self.yeses,
            lasts=lasts,
            ask_after=after,
        )

    def _proven(self, rows: Mapping[int, ImportRow]) -> dict[int, ImportRow]:
        """Return the rows that have evidence; the others are quarantined."""
        proven = {}
        for number, row in rows.items():
            said = row.evidence
            if row.problem is not None or row.address is None:
                self.aside[number] = ("quarantined", (row.problem or "wrong_address")[:100])
            elif said is None or not policy.proves(said.source, said.wording):
                self.aside[number] = ("quarantined", "no_evidence")
            elif "\\u0000" in row.model_dump_json():
                self.aside[number] = ("quarantined", "unreadable")
            else:
                proven[number] = row
        return proven

    async def _judge(self, rows: Mapping[int, ImportRow], persons: Mapping[str, UUID]) -> None:
        standing = await queries.look(
            self._connection,
            self._place,
            asked=policy.purposes_asked(self._purpose),
            people=persons,
        )
        given: set[str] = set()
        for number, row in rows.items():
            assert row.address is not None
            now = standing[row.address]
            why = policy.suppressed(
                now.status, blocked=now.blocked, expired=now.expired, denied=now.denied
            )
            if why is not None:
                self.aside[number] = ("suppressed", why)
            elif now.status == "granted" or row.address in given:
                self.known += 1
            else:
                given.add(row.address)
                self._granted.append(number)

    async def _seal(self, rows: Mapping[int, ImportRow], persons: Mapping[str, UUID]) -> None:
        """Make a line of each row that brings a consent, all keys in one statement."""
        if not self._granted:
            return
        whose = [persons[rows[number].address or ""] for number in self._granted]
        evidences = self._registry.evidences
        halves = await evidences.under(self._connection, self._place.brand_id, whose)
        for number in self._granted:
            row = rows[number]
            assert row.address is not None
            assert row.evidence is not None
            self.yeses.append(
                self._yes(halves, number, row.address, row.evidence, persons[row.address])
            )

    def _yes(
        self, halves: Halves, number: int, address: str, evidence: Evidence, person_id: UUID
    ) -> Yes:
        event_id = derived_id(self._import_id, f"row/{number}")
        # Where it came from is in the ledger's own words; its date stays what the file claims.
        said = evidence.model_copy(update={"rule": f"import:{self._import_id}#{number}"})
        brand_id = self._place.brand_id
        subject = Subject(person_id, self._place.channel, address)
        half = halves.seal(said, (), subject=subject, brand_id=brand_id, event_id=event_id)
        return Yes(event_id, address, person_id, half)

    async def _describe(self, rows: Mapping[int, ImportRow], persons: Mapping[str, UUID]) -> None:
        """Note tags and languages of those who may be written to."""
        facts: dict[UUID, tuple[str | None, list[str]]] = {}
        for number, row in rows.items():
            language = language_tag(row.language)
            if number in self.aside or row.address is None or not (row.tags or language):
                continue
            before = facts.get(persons[row.address], (None, []))
            facts[persons[row.address]] = (before[0] or language, [*before[1], *row.tags])
        if facts:
            await queries.describe(self._connection, brand_id=self._place.brand_id, people=facts)


async def _place(connection: asyncpg.Connection, brand_id: UUID, account_id: UUID) -> Place:
    place = await people.find_place(
        connection, brand_id=brand_id, account_id=account_id, address=""
    )
    if place is None:
        raise Problem(404, "unknown_account", "The registry knows no such account of this brand.")
    return place


async def _locked(
    connection: asyncpg.Connection, brand_id: UUID, import_id: UUID
) -> asyncpg.Record:
    row = await queries.find(connection, brand_id=brand_id, import_id=import_id, lock=True)
    if row is None:
        raise _unknown()
    return row


def _shown(row: asyncpg.Record) -> Import:
    return Import(**row, status="done" if row["ended_at"] else "running")


def _unknown() -> Problem:
    return Problem(404, "not_found", "There is no import of this id.")
