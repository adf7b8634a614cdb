"""The gateway's tables that are read and written row by row.

What is written in batches (`inbox`, `work`) or in one statement (`route`, `slice`, `idempotency`)
is in plain SQL under `queries/`; its shape stands in the first migration.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Column, DateTime, LargeBinary, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Table(SQLModel, registry=registry(metadata=MetaData(schema="gateway"))):
    """A row of the gateway, apart from the rows of all other services."""


def _moment(*, nullable: bool = True) -> Any:
    return Column(DateTime(timezone=True), nullable=nullable)


def _texts() -> Any:
    return Column(ARRAY(Text), nullable=False)


class Brand(Table, table=True):
    """Who writes to people: the tenant."""

    __tablename__ = "brand"

    id: UUID = Field(primary_key=True)
    name: str = Field(sa_type=Text)
    country: str = Field(sa_type=Text)
    languages: list[str] = Field(sa_column=_texts())
    timezone: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_column=_moment(nullable=False))


class ApiKey(Table, table=True):
    """One of a brand's keys; of its secret there is only the digest."""

    __tablename__ = "api_key"

    id: UUID = Field(primary_key=True)
    brand_id: UUID
    name: str = Field(sa_type=Text)
    digest: bytes = Field(sa_type=LargeBinary)
    scopes: list[str] = Field(sa_column=_texts())
    created_at: datetime = Field(sa_column=_moment(nullable=False))
    expires_at: datetime | None = Field(default=None, sa_column=_moment())
    revoked_at: datetime | None = Field(default=None, sa_column=_moment())
    last_used_at: datetime | None = Field(default=None, sa_column=_moment())


class Account(Table, table=True):
    """A brand's identity on a channel; its credentials are the dispatcher's alone."""

    __tablename__ = "account"

    brand_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    channel: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    settings: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    created_at: datetime = Field(sa_column=_moment(nullable=False))
    deleted_at: datetime | None = Field(default=None, sa_column=_moment())
