"""Lists by id: where to go on."""

from collections.abc import Sequence
from uuid import UUID

from services.gateway.errors import wrong_field


def after_of(cursor: str | None) -> UUID | None:
    """Return the last id of the page before; raises 422 for what was never a cursor."""
    if cursor is None:
        return None
    try:
        return UUID(cursor)
    except ValueError as error:
        raise wrong_field("/query/cursor", "This is not a `next` of ours.") from error


def next_of(ids: Sequence[UUID], limit: int) -> str | None:
    """Return the cursor of the next page; none where this one was not full."""
    return str(ids[-1]) if len(ids) == limit else None
