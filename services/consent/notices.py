"""What people are shown before they say yes: a brand's own notices, or the house's wording."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from uuid import UUID

import asyncpg

from services.consent import confirmations, policy
from services.consent.queries import notices as queries
from services.consent.queries.people import Place
from services.consent.texts import refuse_nul
from shared.contracts.notices import Notice, NoticeIn, Notices, NoticeWording
from shared.database import Database
from shared.problems import Problem

PLACE_OF_BRAND = "{brand}"
_STOP = re.compile(r"\bSTOP\b")
# What moves a cursor, hides, or turns the direction of text: a notice is read as it is written.
_NOT_PLAIN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Wording:
    """A notice in the one language in which it is shown."""

    notice_id: UUID | None
    """None for the house's own."""
    version: str
    language: str
    words: str
    """With the brand's name."""
    digest: str
    """SHA-256 of the notice's text, as it was written."""


async def put(database: Database, brand_id: UUID, notice_id: UUID, wanted: NoticeIn) -> Notice:
    """Make the next version of a notice; a repeat of its id changes nothing.

    Raises `Problem`: 404 `unknown_brand`, 409 `id_reused`, 422 for words that are no notice.
    """
    _refuse_nul(wanted)
    async with database.connection(brand_id) as connection:
        if not await queries.lock_brand(connection, brand_id):
            raise Problem(404, "unknown_brand", "The registry was never told of this brand.")
        rows = await queries.one(connection, brand_id=brand_id, notice_id=notice_id)
        if not rows:
            _check(wanted, await _name(connection, brand_id))
            wordings = {tag: (text, digest(text)) for tag, text in wanted.wordings.items()}
            await queries.insert(
                connection,
                brand_id=brand_id,
                notice_id=notice_id,
                purpose=wanted.purpose,
                wordings=wordings,
            )
            rows = await queries.one(connection, brand_id=brand_id, notice_id=notice_id)
    (made,) = _read(rows)
    same = {language: wording.text for language, wording in made.wordings.items()}
    if made.purpose != wanted.purpose or same != wanted.wordings:
        raise Problem(409, "id_reused", "This id was used for something else.")
    return made


async def get(database: Database, brand_id: UUID, notice_id: UUID) -> Notice:
    """Return a notice, or a 404 `Problem`."""
    async with database.connection(brand_id) as connection:
        rows = await queries.one(connection, brand_id=brand_id, notice_id=notice_id)
    if not rows:
        raise Problem(404, "not_found", "There is no such notice.")
    return _read(rows)[0]


async def page(database: Database, brand_id: UUID, *, after: UUID | None, limit: int) -> Notices:
    """Return the notices of a brand, the newest first."""
    async with database.connection(brand_id) as connection:
        rows = await queries.page(connection, brand_id=brand_id, after=after, limit=limit)
    items = _read(rows)
    return Notices(items=items, next=items[-1].id if len(items) == limit else None)


async def current(
    connection: asyncpg.Connection,
    place: Place,
    *,
    purpose: str,
    languages: Iterable[str | None],
) -> Wording:
    """Return what a person is shown now, in the first of `languages` that it is written in."""
    rows = await queries.newest(
        connection, brand_id=place.brand_id, purposes=policy.purposes_asked(purpose)
    )
    if not rows:
        return _of_the_house(place.brand, languages)
    row = _in_language(rows, [*languages, *place.languages])
    return Wording(
        row["id"],
        str(row["version"]),
        row["language"],
        row["text"].replace(PLACE_OF_BRAND, place.brand),
        row["digest"],
    )


def digest(text: str) -> str:
    """Return what a consent keeps of a notice's text, in hexadecimal."""
    return sha256(text.encode()).hexdigest()


def _of_the_house(brand: str, languages: Iterable[str | None]) -> Wording:
    language = confirmations.choose_language(languages)
    text = confirmations.template("ask", language)
    words = confirmations.reply("ask", brand=brand, languages=[language])
    return Wording(None, confirmations.WORDING_VERSION, language, words, digest(text))


def _in_language(rows: Sequence[asyncpg.Record], tags: Iterable[str | None]) -> asyncpg.Record:
    """Return the wording for the first tag that has one (`pt-BR` is also `pt`), or the first."""
    by_tag = {row["language"].lower(): row for row in rows}
    for tag in tags:
        spelled = (tag or "").replace("_", "-").lower()
        for known in (spelled, spelled.partition("-")[0]):
            if known in by_tag:
                return by_tag[known]
    return rows[0]


def _read(rows: Sequence[asyncpg.Record]) -> tuple[Notice, ...]:
    return tuple(
        Notice(
            id=notice_id,
            purpose=(same := list(group))[0]["purpose"],
            version=same[0]["version"],
            wordings={
                row["language"]: NoticeWording(text=row["text"], digest=row["digest"])
                for row in same
            },
            created_at=same[0]["created_at"],
        )
        for notice_id, group in groupby(rows, key=lambda row: row["id"])
    )


async def _name(connection: asyncpg.Connection, brand_id: UUID) -> str:
    name: str = await connection.fetchval(
        "SELECT name FROM consent.brand WHERE brand_id = $1", brand_id
    )
    return name


def _refuse_nul(wanted: NoticeIn) -> None:
    refuse_nul({f"/wordings/{tag}": text for tag, text in wanted.wordings.items()})


def _check(wanted: NoticeIn, brand: str) -> None:
    """Raise a 422 `Problem` that says of each wording what a person would miss in it."""
    errors = [
        {"pointer": f"/wordings/{tag}", "message": message}
        for tag, text in wanted.wordings.items()
        for message in _missing(text, brand)
    ]
    if errors:
        raise Problem(422, "invalid", "Some fields are wrong.", errors=errors)


def _missing(text: str, brand: str) -> Iterable[str]:
    if PLACE_OF_BRAND not in text and brand not in text:
        yield "Say who will write: put {brand} or your name into it."
    if not _STOP.search(text):
        yield "Say how to end it: put STOP into it, in capitals."
    if _NOT_PLAIN.search(text):
        yield "Plain text only: no control characters besides the line break."
