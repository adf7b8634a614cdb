"""Who is calling: from the Authorization header to a brand and what it may do.

A key that nobody knows costs the same as one with a wrong secret. What is known of a key is kept
for less than a second, so a revoked key is refused after at most a second by every process.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args
from uuid import UUID

from starlette.requests import Request

from services.gateway import keys
from services.gateway.queries import keys as queries
from services.gateway.tables import ApiKey
from shared import clock
from shared.database import Database
from shared.problems import Problem

Scope = Literal[
    "accounts:read",
    "accounts:write",
    "callbacks:read",
    "callbacks:write",
    "campaigns:read",
    "campaigns:write",
    "consents:read",
    "consents:write",
    "events:read",
    "keys:read",
    "keys:write",
    "media:write",
    "messages:read",
    "messages:write",
    "people:read",
    "people:write",
    "stories:read",
    "stories:write",
]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

OPERATOR: Final = UUID(int=0)
"""Stands for the brand where the operator calls, who belongs to none."""
KNOWN_FOR = 0.9
"""Seconds."""
_LARGEST = 10_000
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who was let in."""

    brand_id: UUID
    key_id: UUID
    scopes: frozenset[str]

    @property
    def is_operator(self) -> bool:
        """Say whether it is the operator of this house and not a brand."""
        return self.brand_id == OPERATOR


class Door:
    """Lets callers in by their keys."""

    def __init__(self, database: Database, *, pepper: str, operator_key: str) -> None:
        """Know the operator's key from the settings, and the brands' from the database."""
        self._database = database
        self._pepper = pepper.encode()
        self._operator = keys.digest(operator_key, self._pepper)
        self._known: dict[UUID, tuple[float, ApiKey | None]] = {}
        self._used: dict[UUID, datetime] = {}

    def digest(self, secret: str) -> bytes:
        """Return what is stored of a new key's secret."""
        return keys.digest(secret, self._pepper)

    async def admit(self, request: Request, *, operator: bool = False) -> Caller:
        """Return who is calling, or refuse with 401. `operator`: nobody else is let in."""
        text = _bearer(request.headers.get("authorization"))
        if operator:
            return self._admit_operator(text)
        presented = keys.read(text)
        if presented is None:
            raise _refused("This is not an API key of this house.")
        key = await self._find(presented.id)
        # A key that does not exist is compared all the same, with a digest that nothing has.
        known = b"\0" * 32 if key is None else key.digest
        right = hmac.compare_digest(known, keys.digest(presented.secret, self._pepper))
        if key is None or not right or not _alive(key, clock.now()):
            raise _refused("The key is unknown, expired or revoked.")
        self._note_use(key)
        return Caller(key.brand_id, key.id, frozenset(key.scopes))

    async def store_uses(self) -> int:
        """Write down which keys were used since the last time."""
        used, self._used = self._used, {}
        if used:
            async with self._database.begin() as session:
                await queries.mark_used(session, used)
        return len(used)

    def forget(self, key_id: UUID) -> None:
        """Look a key up again, because it was changed here."""
        self._known.pop(key_id, None)

    def _admit_operator(self, text: str) -> Caller:
        if not hmac.compare_digest(self._operator, keys.digest(text, self._pepper)):
            raise _refused("This needs the operator's key.")
        return Caller(OPERATOR, OPERATOR, frozenset(SCOPES))

    async def _find(self, key_id: UUID) -> ApiKey | None:
        known = self._known.get(key_id)
        now = clock.ticks()
        if known is not None and known[0] > now:
            return known[1]
        async with self._database.begin() as session:
            key = await queries.find_key(session, key_id)
        if len(self._known) >= _LARGEST:
            self._known.clear()
        self._known[key_id] = (now + KNOWN_FOR, key)
        return key

    def _note_use(self, key: ApiKey) -> None:
        now = clock.now()
        if key.last_used_at is None or now - key.last_used_at > _USED_EVERY:
            self._used[key.id] = now


def _bearer(header: str | None) -> str:
    scheme, _, text = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Problem(
            401,
            "unauthenticated",
            "Give your API key as Authorization: Bearer KEY.",
            headers={"WWW-Authenticate": 'Bearer realm="permesso"'},
        )
    return text.strip()


def _alive(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def _refused(detail: str) -> Problem:
    challenge = 'Bearer realm="permesso", error="invalid_token"'
    return Problem(401, "unauthenticated", detail, headers={"WWW-Authenticate": challenge})
