"""Notices on the wire: what a person is shown before a yes, in versions that never change."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from shared.contracts.base import Contract
from shared.contracts.consent import Purpose
from shared.contracts.stories import Language

LONGEST_NOTICE = 1_000
"""Characters of one wording."""

Wording = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NOTICE)]
Wordings = Annotated[dict[Language, Wording], Field(min_length=1, max_length=40)]


class NoticeIn(Contract):
    """A new version of what people are asked, in each language that you speak."""

    purpose: Purpose = "marketing"
    wordings: Wordings
    """Plain text. `{brand}` stands for your name, and STOP tells how to end it."""


class NoticeWording(Contract):
    """A notice in one language."""

    text: str
    digest: str
    """SHA-256 of the text in UTF-8, in hexadecimal: consents name it."""


class Notice(Contract):
    """One version of a notice."""

    id: UUID
    purpose: Purpose
    version: int
    """From 1, for each purpose; people are shown the highest one."""
    wordings: dict[str, NoticeWording]
    created_at: datetime


class Notices(Contract):
    """A brand's notices, the newest first; go on with `next`."""

    items: tuple[Notice, ...]
    next: UUID | None = None
