"""The keys of persons: each is made once, kept wrapped, and destroyed with its person."""

import os
from collections.abc import Iterable
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.consent.evidence import Halves
from services.consent.queries import person_keys as queries
from shared.security.sealing import Sealer

_KEY = 32


class Evidences:
    """Brings the keys of persons, which are stored under the service's own."""

    def __init__(self, sealer: Sealer) -> None:
        """Use the service's own keys."""
        self._sealer = sealer

    async def of(
        self, connection: asyncpg.Connection, brand_id: UUID, people: Iterable[UUID]
    ) -> Halves:
        """Return what opens these people's halves; an erased person's is not among it."""
        wrapped = await queries.find(connection, brand_id, set(people))
        return Halves({who: self._unwrap(key, brand_id, who) for who, key in wrapped.items()})

    async def under(
        self, connection: asyncpg.Connection, brand_id: UUID, people: Iterable[UUID]
    ) -> Halves:
        """Return what seals these people's halves; who has no key yet gets one.

        The people must be locked, so that each is given one key and keeps it.
        """
        asked = set(people)
        wrapped = await queries.find(connection, brand_id, asked)
        keys = {who: self._unwrap(key, brand_id, who) for who, key in wrapped.items()}
        made = {who: os.urandom(_KEY) for who in asked - keys.keys()}
        if made:
            stored = {
                who: self._sealer.seal(key, context=_key_context(brand_id, who))
                for who, key in made.items()
            }
            await queries.add(connection, brand_id, stored)
        return Halves({**keys, **{who: AESGCM(key) for who, key in made.items()}})

    def is_current(self, wrapped: bytes) -> bool:
        """Is a person's key under the newest of the service's keys?"""
        return self._sealer.is_current(wrapped)

    def rewrap(self, wrapped: bytes, *, brand_id: UUID, person_id: UUID) -> bytes:
        """Return a person's key under the newest of the service's keys."""
        return self._sealer.rewrap(wrapped, context=_key_context(brand_id, person_id))

    def _unwrap(self, wrapped: bytes, brand_id: UUID, person_id: UUID) -> AESGCM:
        return AESGCM(self._sealer.open(wrapped, context=_key_context(brand_id, person_id)))


def _key_context(brand_id: UUID, person_id: UUID) -> str:
    return f"{brand_id}|person_key|{person_id}"
