"""The registry's tables that are read and written row by row.

The ledger and what follows from it (`event`, `state`, `denial`, `feed`, …) are written in plain SQL
by one transaction; their shape stands in the first migration.
"""

from datetime import datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, MetaData, Text, false, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry(metadata=MetaData(schema="consent"))):
    """A row of the registry, apart from the rows of all other services."""


def _moment(*, required: bool = False) -> Any:
    return Column(
        DateTime(timezone=True),
        nullable=not required,
        server_default=func.now() if required else None,
    )


def _address() -> Any:
    return Column(Text(collation="C"), primary_key=True)


class BrandRow(Table, table=True):
    """What consent needs to know of a brand."""

    __tablename__ = "brand"

    brand_id: UUID = Field(primary_key=True)
    name: str = Field(sa_type=Text)
    country: str = Field(sa_type=Text)
    languages: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    timezone: str = Field(sa_type=Text)
    policy: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default="{}")
    )


class AccountRow(Table, table=True):
    """A brand's identity on a channel."""

    __tablename__ = "account"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    channel: str = Field(sa_type=Text)


class PersonRow(Table, table=True):
    """A person as one brand knows them; whoever records something about them locks this row."""

    __tablename__ = "person"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    language: str | None = Field(default=None, sa_type=Text)
    timezone: str | None = Field(default=None, sa_type=Text)
    tags: list[str] = Field(
        default_factory=list, sa_column=Column(ARRAY(Text), nullable=False, server_default="{}")
    )
    attributes: dict[str, Any] = Field(
        default_factory=dict, sa_column=Column(JSONB, nullable=False, server_default="{}")
    )
    merged_into: UUID | None = None
    quiet_start: time | None = None
    quiet_end: time | None = None
    created_at: datetime | None = Field(default=None, sa_column=_moment(required=True))


class IdentityRow(Table, table=True):
    """Who is behind an address: on one channel the same person for all accounts of a brand."""

    __tablename__ = "identity"

    brand_id: UUID = Field(primary_key=True)
    channel: str = Field(primary_key=True, sa_type=Text)
    address: str = Field(sa_column=_address())
    person_id: UUID


class AddressRow(Table, table=True):
    """An address that one account has heard of, and whether it can be reached there."""

    __tablename__ = "address"

    brand_id: UUID = Field(primary_key=True)
    account_id: UUID = Field(primary_key=True)
    address: str = Field(sa_column=_address())
    person_id: UUID
    blocked_at: datetime | None = Field(default=None, sa_column=_moment())
    seen_at: datetime | None = Field(default=None, sa_column=_moment())
    created_at: datetime | None = Field(default=None, sa_column=_moment(required=True))


class StateRow(Table, table=True):
    """What holds for one key; written by `queries.ledger` alone, read here."""

    __tablename__ = "state"

    brand_id: UUID = Field(primary_key=True)
    account_id: UUID = Field(primary_key=True)
    purpose: str = Field(sa_column=Column(Text(collation="C"), primary_key=True))
    address: str = Field(sa_column=_address())
    status: str = Field(sa_type=Text)
    blocked: bool = Field(
        default=False, sa_column=Column(Boolean, nullable=False, server_default=false())
    )
    event_id: UUID
    seq: int = Field(sa_type=BigInteger)
    since: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=_moment())
    paused_until: datetime | None = Field(default=None, sa_column=_moment())
    uses_left: int | None = None
    person_id: UUID
