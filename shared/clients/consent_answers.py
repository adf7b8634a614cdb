"""Answers to the question that is asked about every message: read without a model's cost."""

from datetime import datetime
from typing import NamedTuple

import orjson

from shared.clients.base import ServiceUnavailable


class Answer(NamedTuple):
    """Whether one address may be written to now; a `Permission` without its cost."""

    address: str
    allowed: bool
    reason: str
    consent_event_id: str | None
    seq: int
    until: datetime | None = None
    """When to ask again, where a yes has to wait."""


def _moment(told: str | None) -> datetime | None:
    return None if told is None else datetime.fromisoformat(told)


def read_answers(content: bytes) -> list[Answer]:
    """Return the answers in their order; raise `ServiceUnavailable` for what is no contract."""
    try:
        return [
            Answer(
                each["address"],
                each["allowed"] is True,
                each["reason"],
                each["consent_event_id"],
                each["seq"],
                _moment(each.get("until")),
            )
            for each in orjson.loads(content)["results"]
        ]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        # Never guess a permission out of an answer that is not one.
        raise ServiceUnavailable("consent", "its answer is no contract", sent=True) from error
