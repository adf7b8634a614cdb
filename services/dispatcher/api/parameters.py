"""What many routes take: the desk, a cursor, a limit; and how lists are answered."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Generic, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query, Request
from pydantic import BaseModel

from services.dispatcher.desk import Desk
from shared.problems import Problem

_T = TypeVar("_T")


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


TheDesk = Annotated[Desk, Depends(_desk)]
Cursor = Annotated[
    str | None, Query(max_length=1_024, description="`next` of the page before; none begins.")
]
Limit = Annotated[int, Query(ge=1, le=200)]
MOST = 50
"""What a page holds unless the caller says otherwise."""


class Items(BaseModel, Generic[_T]):
    """A list that is never long."""

    items: Sequence[_T]


class Page(BaseModel, Generic[_T]):
    """One page of a list; `next` is none on the last one."""

    items: Sequence[_T]
    next: str | None = None


def page_of(items: Sequence[_T], limit: int, place: Callable[[_T], object]) -> Page[_T]:
    """Make a page out of up to `limit` + 1 items; the extra one only says that there are more.

    `place` says where an item stands in the list; the caller finds it again with `read_cursor`.
    """
    shown = items[:limit]
    more = len(items) > limit
    return Page(items=shown, next=write_cursor(place(shown[-1])) if more else None)


def write_cursor(place: object) -> str:
    """Return a place in a list as text that says nothing to others."""
    return base64.urlsafe_b64encode(orjson.dumps(place, default=str)).rstrip(b"=").decode()


def read_cursor(cursor: str | None) -> object:
    """Return the place that a cursor stands for, none for the beginning; refuse what is none."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        place: object = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise wrong_cursor() from error
    return place


def read_id(cursor: str | None) -> UUID | None:
    """Return the id that a cursor stands for."""
    place = read_cursor(cursor)
    if place is None:
        return None
    try:
        return UUID(str(place))
    except ValueError as error:
        raise wrong_cursor() from error


def read_number(cursor: str | None) -> int | None:
    """Return the number that a cursor stands for."""
    place = read_cursor(cursor)
    if place is None:
        return None
    if type(place) is not int or not 0 <= place < 2**63:
        raise wrong_cursor()
    return place


def wrong_cursor() -> Problem:
    """Return the answer to a cursor that we never gave."""
    errors = [{"pointer": "/query/cursor", "message": "this is not a cursor of this list"}]
    return Problem(422, "invalid", "Some fields are wrong.", errors=errors)


def same_id(path: UUID, body: UUID, *, name: str) -> None:
    """Refuse a body that speaks of another thing than its path."""
    if path != body:
        errors = [{"pointer": f"/{name}", "message": "it differs from the one in the path"}]
        raise Problem(422, "invalid", "Some fields are wrong.", errors=errors)
