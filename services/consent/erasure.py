"""Erase a person: their last line in the ledger, and then every row that knows them.

    lock the person → line `erase` → the no kept by hash → state, address, identity, …, the key

The ledger keeps its lines, of which nobody can open the personal half any more: so the log still
verifies, and tells nothing about anybody. What must hold stays: each of their addresses has refused
everything, as of now, for whatever list brings it back.
"""

from collections.abc import Collection
from uuid import UUID

import asyncpg
import structlog

from services.consent import policy
from services.consent.answers import id_reused
from services.consent.evidence import Subject
from services.consent.people import nobody
from services.consent.queries import erasure as queries
from services.consent.queries import ledger, suppression
from services.consent.queries.ledger import Entry
from services.consent.queries.people import Place
from services.consent.registry import Registry
from shared import failpoints
from shared.contracts.consent import Evidence, Scope
from shared.contracts.erasures import Erased, EraseIn
from shared.contracts.policy import BrandPolicy
from shared.problems import Problem

log = structlog.get_logger()


async def erase(registry: Registry, brand_id: UUID, person_id: UUID, order: EraseIn) -> Erased:
    """Erase a person; nothing leads to them when this returns.

    Raises `Problem`: 404 `unknown_person`, 409 `id_reused` or `already_merged`.
    """
    async with registry.database.connection(brand_id) as connection:
        locked = await queries.lock(connection, brand_id=brand_id, person_id=person_id)
        before = await ledger.find_event(connection, brand_id=brand_id, event_id=order.id)
        if before is not None:
            if (before["action"], before["person_id"]) != ("erase", person_id):
                raise id_reused()
            return Erased(
                id=order.id,
                person_id=person_id,
                seq=before["seq"],
                erased_at=before["recorded_at"],
            )
        if person_id not in locked:
            raise nobody()
        if (into := locked[person_id]) is not None:
            text = f"This person was merged into {into}: erase that one, or take the merge back."
            raise Problem(409, "already_merged", text)
        erased = await _erase(registry, connection, brand_id, person_id, order, selves=locked)
        await failpoints.reach("consent.erasure_written")
    await failpoints.reach("consent.erasure_committed")
    registry.bell.ring()
    log.info("person.erased", brand=brand_id, event_id=order.id, by=order.by, seq=erased.seq)
    return erased


async def _erase(
    registry: Registry,
    connection: asyncpg.Connection,
    brand_id: UUID,
    person_id: UUID,
    order: EraseIn,
    *,
    selves: Collection[UUID],
) -> Erased:
    known = await queries.find(connection, brand_id=brand_id, person_id=person_id)
    purposes = policy.revoked_purposes(Scope.BRAND, policy.SERVICE)
    halves = await registry.evidences.under(connection, brand_id, [person_id])
    half = halves.seal(
        Evidence(source=f"erasure.{order.by}"),
        (),
        subject=Subject(person_id, known.channel, known.address),
        brand_id=brand_id,
        event_id=order.id,
    )
    entry = Entry(
        id=order.id,
        place=Place(
            brand_id, known.account_id, known.address, known.channel, "", "", (), BrandPolicy()
        ),
        person_id=person_id,
        action="erase",
        purpose=policy.SERVICE,
        scope=Scope.BRAND,
        held_scope=Scope.BRAND,
        purposes=purposes,
        sealed=half.sealed,
        commitment=half.commitment,
        platform_at=None,
        recorded_at=known.now,
        outcome="revoked",
        reason=order.by,
    )
    seq = await ledger.append(connection, entry)
    await suppression.keep(
        connection,
        brand_id=brand_id,
        person_id=person_id,
        hashes=[registry.suppressor.hash(brand_id, *each) for each in known.identities],
        purposes=purposes,
        at=known.now,
        seq=seq,
        event_id=order.id,
    )
    await queries.forget(connection, brand_id=brand_id, people=selves)
    await ledger.tell(
        connection, seq=seq, brand_id=brand_id, event_id=order.id, type="person.erased"
    )
    return Erased(id=order.id, person_id=person_id, seq=seq, erased_at=known.now)
