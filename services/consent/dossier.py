"""One event for somebody who has to be shown it: proven to be in the log, its evidence opened."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.consent import proofs
from services.consent.registry import Registry
from shared import clock
from shared.contracts.consent import Evidence
from shared.contracts.proofs import Dossier, ProvenEvent, Statement, StatementIn
from shared.problems import Problem

_MOST = 8
"""Events of one dossier."""
_NO_EVENTS = frozenset({"inbox_id"})
"""Ids in evidence that name something else."""


async def collect(
    registry: Registry, brand_id: UUID, event_id: UUID, *, size: int | None
) -> Dossier:
    """Prove an event, and every event that its evidence names, such as a notice.

    Raises `Problem` as `proofs.prove` does, about the first one.
    """
    async with registry.database.connection(brand_id) as connection:
        first = await _proven(registry, connection, brand_id, event_id, size)
        found, named = {event_id: first}, list(_named(first))
        while named and len(found) < _MOST:
            if (next_id := named.pop(0)) in found:
                continue
            try:
                # Under the very checkpoint of the first one, so that one signature covers all.
                under = first.proof.checkpoint.size
                other = await _proven(registry, connection, brand_id, next_id, under)
            except Problem:
                continue  # an id of something else, or the event of a moment ago
            found[next_id] = other
            named += _named(other)
    return Dossier(events=tuple(found.values()))


def state(registry: Registry, brand_id: UUID, wanted: StatementIn) -> Statement:
    """Sign a document's hash, and when.

    The first line names no log, so nobody can take the text for a checkpoint of one.
    """
    signer = registry.signers.of(brand_id)
    at = _zulu(clock.now())
    return Statement(note=signer.sign(f"{signer.key.name} statement\n{wanted.sha256}\n{at}\n"))


async def _proven(
    registry: Registry,
    connection: asyncpg.Connection,
    brand_id: UUID,
    event_id: UUID,
    size: int | None,
) -> ProvenEvent:
    proof, line = await proofs.prove_in(registry, connection, brand_id, event_id, size=size)
    content = None
    if line["id"] is not None:
        person_id = UUID(int=line["person_id"].int)
        halves = await registry.evidences.of(connection, brand_id, [person_id])
        content = halves.reveal(
            line["sealed"], person_id=person_id, brand_id=brand_id, event_id=event_id
        )
    evidence = None
    if content is not None:
        evidence = Evidence.model_validate(orjson.loads(content)["evidence"])
    return ProvenEvent(proof=proof, content=content, evidence=evidence)


def _named(event: ProvenEvent) -> Iterator[UUID]:
    if event.content is not None:
        yield from _ids(orjson.loads(event.content)["evidence"])


def _ids(value: Any) -> Iterator[UUID]:
    match value:
        case dict():
            for name, each in value.items():
                if name not in _NO_EVENTS:
                    yield from _ids(each)
        case list():
            for each in value:
                yield from _ids(each)
        case str() if len(value) == 36:
            try:
                yield UUID(value)
            except ValueError:
                return


def _zulu(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
