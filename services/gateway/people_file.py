"""Files of people, read as they come: CSV with a header, or one JSON object a line.

    CSV     address, and of the evidence: source, wording, wording_version, language, at, url, ip,
            user_agent; tags, several with | between. Comma or semicolon, UTF-8.
    NDJSON  {"address", "language"?, "tags"?: […], "evidence"?: {"source", "wording", …}}

A row that cannot be read says why, and the others go on; a header that cannot ends it all.
"""

import csv
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import orjson
from pydantic import ValidationError

from services.gateway.errors import wrong_field
from shared.contracts.consent import Evidence
from shared.contracts.imports import ImportRow
from shared.problems import Problem

LONGEST_ROW: Final = 65_536
"""Bytes of one row; a longer one is no row."""
KINDS: Final = ("text/csv", "application/x-ndjson", "application/ndjson")
_EVIDENCE = (
    "source",
    "wording",
    "wording_version",
    "language",
    "at",
    "url",
    "ip",
    "user_agent",
)
_COLUMNS = frozenset({"address", "tags", *_EVIDENCE})
_FIELDS = frozenset({"address", "language", "tags", "evidence"})

Spelling = Callable[[str], str]
"""From an address as somebody wrote it to its one spelling; ValueError where it is none."""


class Reader(Protocol):
    """Makes rows of lines."""

    def read(self, line: bytes) -> ImportRow | None:
        """Return the row that this line ends; None where it goes on, or was no row."""
        ...

    def end(self) -> ImportRow | None:
        """Return what an unfinished row is at the end of the file."""
        ...


def reader_for(content_type: str | None, spelling: Spelling) -> Reader:
    """Return what reads this kind of file, or raise a 415 `Problem`."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == "text/csv":
        return _Csv(spelling)
    if kind in KINDS:
        return _Lines(spelling)
    raise Problem(415, "unsupported_media_type", f"Send the file as {' or '.join(KINDS[:2])}.")


async def rows_of(body: AsyncIterable[bytes], reader: Reader) -> AsyncIterator[ImportRow]:
    """Read a file as it comes; never more of it in memory than a row and a piece."""
    async for line in _lines_of(body):
        row = reader.read(line)
        if row is not None:
            yield row
    row = reader.end()
    if row is not None:
        yield row


async def _lines_of(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Cut pieces into lines, without their ends; what is too long is cut short."""
    rest = b""
    async for piece in body:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
        rest = rest[: LONGEST_ROW + 1]
    if rest:
        yield rest.removesuffix(b"\r")


class _Lines:
    """NDJSON."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling

    def read(self, line: bytes) -> ImportRow | None:
        """Read one object; an empty line is none."""
        if not line.strip():
            return None
        try:
            value = orjson.loads(line) if len(line) <= LONGEST_ROW else None
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict) or value.keys() - _FIELDS:
            return ImportRow(problem="unreadable")
        return _row(value, value.get("evidence"), value.get("tags") or (), self._spelling)

    def end(self) -> ImportRow | None:
        """Every line was an object."""
        return None


class _Csv:
    """CSV as RFC 4180 has it, and as spreadsheets in Europe write it (with semicolons)."""

    def __init__(self, spelling: Spelling) -> None:
        self._spelling = spelling
        self._header: list[str] | None = None
        self._comma = ","
        self._begun = b""

    def read(self, line: bytes) -> ImportRow | None:
        """Read one row, when its quotes are closed: a text may go over several lines."""
        self._begun = self._begun + b"\n" + line if self._begun else line
        if self._begun.count(b'"') % 2 and len(self._begun) <= LONGEST_ROW:
            return None
        line, self._begun = self._begun, b""
        if self._header is None:
            self._header = self._read_header(line)
            return None
        if not line.strip():
            return None
        values = self._values(line) if len(line) <= LONGEST_ROW else None
        if values is None or len(values) > len(self._header):
            return ImportRow(problem="unreadable")
        given = {k: v.strip() for k, v in zip(self._header, values, strict=False) if v.strip()}
        tags = [tag.strip() for tag in given.get("tags", "").split("|") if tag.strip()]
        evidence = {name: given[name] for name in _EVIDENCE if name in given}
        return _row(given, evidence, tags, self._spelling)

    def end(self) -> ImportRow | None:
        """Refuse a file without a header; a quote that was never closed spoils the last row."""
        if self._header is None:
            raise wrong_field("/file", "The file is empty: its first line names the columns.")
        return ImportRow(problem="unreadable") if self._begun else None

    def _read_header(self, line: bytes) -> list[str]:
        text = line.decode("utf-8-sig", "replace")
        self._comma = ";" if text.count(";") > text.count(",") else ","
        names = [name.strip().lower() for name in next(csv.reader([text], delimiter=self._comma))]
        if unknown := sorted(set(names) - _COLUMNS):
            known = ", ".join(sorted(_COLUMNS))
            raise wrong_field(
                "/file", f"No column is called {unknown[0][:50]!r}; there are {known}."
            )
        if "address" not in names or len(set(names)) != len(names):
            raise wrong_field(
                "/file", "The first line names each column once, `address` among them."
            )
        return names

    def _values(self, line: bytes) -> list[str] | None:
        try:
            return next(csv.reader([line.decode("utf-8")], delimiter=self._comma, strict=True))
        except (UnicodeDecodeError, csv.Error, StopIteration):
            return None


def _row(
    given: Mapping[str, Any], evidence: object, tags: Sequence[object], spelling: Spelling
) -> ImportRow:
    """Return the row, or why it is none."""
    try:
        address = spelling(str(given.get("address") or ""))
    except ValueError:
        return ImportRow(problem="wrong_address")
    try:
        said = Evidence.model_validate(evidence) if evidence else None
    except ValidationError:
        # Without its source there is no evidence at all; else something in it is wrong.
        has_source = isinstance(evidence, dict) and bool(evidence.get("source"))
        return ImportRow(problem="wrong_evidence" if has_source else "no_evidence")
    try:
        return ImportRow(
            address=address,
            evidence=said,
            language=given.get("language"),
            tags=tuple(tags),
        )
    except ValidationError:
        return ImportRow(problem="unreadable")
