"""A platform's request as it came in, before anybody believed or understood it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared import clock


class SignatureMismatch(Exception):
    """The request does not prove that it comes from the platform."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """Raw bytes and headers (names in lower case), exactly as received."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"
    received_at: datetime = field(default_factory=lambda: clock.now(), compare=False)
    """When it came in: the time of what happened, where the platform names none."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """The two facts needed before a request can be stored.

    `dedupe` is equal for a repeat of the same request and for nothing else; `person` is equal for
    requests whose order matters to each other (usually the address).
    """

    dedupe: str
    person: str
