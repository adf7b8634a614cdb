"""A person's export for reading: one page that needs nothing else, on a screen or on paper."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.contracts.base import Contract
from shared.contracts.consent import HistoryEntry, Person
from shared.contracts.exports import PersonMerge, SentMessage
from shared.contracts.stories import Part

_HERE: Final = Path(__file__).parent
_STYLE: Final = (_HERE / "export.css").read_text()
_STYLE_HASH: Final = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)
"""In the page too: it holds for a copy that somebody saved."""
HEADERS: Final = {
    "Content-Security-Policy": f"{_POLICY}; frame-ancestors 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Export:
    """What is known of a person; the long lists are read once, as they come."""

    exported_at: datetime
    person: Person
    merges: tuple[PersonMerge, ...]
    history: AsyncIterator[HistoryEntry]
    messages: AsyncIterator[SentMessage]


def page(export: Export) -> AsyncIterator[str]:
    """Return the page, bit by bit."""
    return _TEMPLATE.generate_async(export=export, policy=_POLICY, style=_STYLE)


def _moment(value: datetime | None) -> str:
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _facts(value: Contract) -> list[tuple[str, str]]:
    """Return what is given of a contract: its fields' names in words, and their values."""
    given = value.model_dump(exclude_none=True)
    return [(name.replace("_", " "), _text(each)) for name, each in given.items()]


def _text(value: object) -> str:
    return _moment(value) if isinstance(value, datetime) else str(value)


def _call(part: Part) -> str:
    """Return a platform's call with its words in it."""
    return orjson.dumps(part.params, option=orjson.OPT_INDENT_2, default=str).decode()


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        enable_async=True,
    )
    made.filters.update(moment=_moment, facts=_facts, call=_call)
    return made


_TEMPLATE: Final = _environment().get_template("export.html")
