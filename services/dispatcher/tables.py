"""The dispatcher's tables that are read and written row by row.

The queue itself (`message`, `attempt`, `event`, `callback`) is written in batches, in plain SQL;
its shape stands in the first migration.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Date,
    DateTime,
    LargeBinary,
    MetaData,
    Text,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry(metadata=MetaData(schema="dispatcher"))):
    """A row of the dispatcher, apart from the rows of all other services."""


def _json(default: str = "{}") -> Any:
    return Column(JSONB, nullable=False, server_default=default)


def _moment(*, nullable: bool = True, now: bool = False) -> Any:
    return Column(
        DateTime(timezone=True), nullable=nullable, server_default=func.now() if now else None
    )


class Account(Table, table=True):
    """The half of an account that sends; credentials are sealed."""

    __tablename__ = "account"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    channel: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    credentials: bytes = Field(sa_type=LargeBinary)
    settings: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    status: str = Field(default="new", sa_type=Text)
    status_reason: str | None = Field(default=None, sa_type=Text)
    platform_id: str | None = Field(default=None, sa_type=Text)
    platform_name: str | None = Field(default=None, sa_type=Text)
    version: int = 1
    created_at: datetime | None = Field(default=None, sa_column=_moment(nullable=False, now=True))
    deleted_at: datetime | None = Field(default=None, sa_column=_moment())


class MediaRow(Table, table=True):
    """The facts of a picture or a video; its bytes are in `media_chunk`."""

    __tablename__ = "media"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    sha256: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    mime: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    width: int
    height: int
    seconds: float | None = None
    codec: str | None = Field(default=None, sa_type=Text)
    sound: str | None = Field(default=None, sa_type=Text)
    bytes: int
    created_at: datetime | None = Field(default=None, sa_column=_moment(nullable=False, now=True))


class StoryRow(Table, table=True):
    """A story as the brand wrote it."""

    __tablename__ = "story"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    version: int = 1
    title: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    frames: list[Any] = Field(sa_column=Column(JSONB, nullable=False))
    variants: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    expires_after: int | None = None
    created_at: datetime | None = Field(default=None, sa_column=_moment(nullable=False, now=True))
    updated_at: datetime | None = Field(default=None, sa_column=_moment(nullable=False, now=True))
    deleted_at: datetime | None = Field(default=None, sa_column=_moment())


class CampaignRow(Table, table=True):
    """A story on its way to an audience. `accepted` is counted by expansion alone."""

    __tablename__ = "campaign"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    day: date | None = Field(default=None, sa_type=Date)
    name: str = Field(sa_type=Text)
    story_id: UUID
    """Of a campaign with variants, that of the first."""
    variants: list[Any] = Field(default_factory=list, sa_column=_json("[]"))
    hold_out: float = 0.0
    purpose: str = Field(sa_type=Text)
    account_ids: list[UUID] = Field(sa_column=Column(ARRAY(Uuid), nullable=False))
    audience: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    named: int | None = None
    recipients: str = Field(default="frozen", sa_type=Text)
    live_until: datetime | None = Field(default=None, sa_column=_moment())
    send_at: datetime | None = Field(default=None, sa_column=_moment())
    recipient_local_time: bool = False
    deadline: datetime | None = Field(default=None, sa_column=_moment())
    status: str = Field(default="draft", sa_type=Text)
    status_reason: str | None = Field(default=None, sa_type=Text)
    accepted: int = Field(default=0, sa_type=BigInteger)
    excluded: dict[str, Any] = Field(default_factory=dict, sa_column=_json())
    zone_fallbacks: int = Field(default=0, sa_type=BigInteger)
    expand_cursor: dict[str, Any] | None = Field(default=None, sa_column=Column(JSONB))
    expanded: bool = False
    created_at: datetime | None = Field(default=None, sa_column=_moment(nullable=False, now=True))
    launched_at: datetime | None = Field(default=None, sa_column=_moment())
    finished_at: datetime | None = Field(default=None, sa_column=_moment())


class EndpointRow(Table, table=True):
    """Where a brand is called back; its secrets are sealed."""

    __tablename__ = "endpoint"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    url: str = Field(sa_type=Text)
    types: list[str] = Field(default_factory=list, sa_column=Column(ARRAY(Text), nullable=False))
    secrets: bytes = Field(sa_type=LargeBinary)
    enabled: bool = True
    disabled_reason: str | None = Field(default=None, sa_type=Text)
    failing_since: datetime | None = Field(default=None, sa_column=_moment())
    created_at: datetime | None = Field(default=None, sa_column=_moment(nullable=False, now=True))
    deleted_at: datetime | None = Field(default=None, sa_column=_moment())
