"""A platform gave a conversation another address: the person is the same, their yes is not.

The new address is theirs from now on, without any consent: a yes was said for the old one. A no
holds there too. The old address is out of reach.
"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

import structlog

from services.consent.answers import id_reused
from services.consent.evidence import Halves, Subject
from services.consent.moments import as_utc
from services.consent.queries import ledger, merges, people
from services.consent.queries.ledger import Entry
from services.consent.queries.people import Place
from services.consent.registry import Registry
from shared.contracts.consent import ConsentRecorded, Evidence, Scope
from shared.contracts.merges import MoveIn
from shared.problems import Problem

log = structlog.get_logger()


async def move(registry: Registry, order: MoveIn) -> ConsentRecorded:
    """Record a move. Where somebody has the new address already, they keep it.

    Raises `Problem`: 404 `unknown_account`, 409 `id_reused`.
    """
    async with registry.database.connection(order.brand_id) as connection:
        place = await people.find_place(
            connection,
            brand_id=order.brand_id,
            account_id=order.account_id,
            address=order.address,
        )
        if place is None:
            text = "The registry knows no such account of this brand."
            raise Problem(404, "unknown_account", text)
        person_id = await people.lock_person(connection, place, suppressor=registry.suppressor)
        halves = await registry.evidences.under(connection, order.brand_id, [person_id])
        before = await ledger.find_event(connection, brand_id=order.brand_id, event_id=order.id)
        if before is not None:
            if (before["action"], before["account_id"]) != ("seen", order.account_id):
                raise id_reused()
            return ConsentRecorded(
                id=order.id,
                seq=before["seq"],
                person_id=before["person_id"],
                state="unchanged",
                reason=before["reason"],
                effective_at=before["recorded_at"],
                reaches=(),
            )
        situation = await ledger.look(connection, place, person_id=person_id, purposes=())
        linked = await merges.link(
            connection,
            order.brand_id,
            channel=place.channel,
            person_id=person_id,
            address=order.address,
            new_address=order.new_address,
        )
        blocked_at = situation.blocked_at or situation.now
        await people.know_address(
            connection, place, person_id=person_id, seen_at=None, blocked_at=blocked_at
        )
        await ledger.set_blocked(connection, place, person_id=person_id, blocked=True)
        new_place = replace(place, address=order.new_address) if linked else place
        entry = _entry(halves, order, new_place, person_id, situation.now, linked=linked)
        seq = await ledger.append(connection, entry)
        if linked:
            await people.know_address(
                connection, new_place, person_id=person_id, seen_at=None, blocked_at=None
            )
            await merges.revoke(
                connection,
                order.brand_id,
                of=person_id,
                denials_of=person_id,
                event_id=order.id,
                seq=seq,
                at=situation.now,
                address=order.new_address,
            )
    log.info("address.moved", brand=order.brand_id, event_id=order.id, seq=seq, linked=linked)
    return ConsentRecorded(
        id=order.id,
        seq=seq,
        person_id=person_id,
        state="unchanged",
        reason=entry.reason,
        effective_at=entry.recorded_at,
        reaches=(),
    )


def _entry(
    halves: Halves,
    order: MoveIn,
    place: Place,
    person_id: UUID,
    now: datetime,
    *,
    linked: bool,
) -> Entry:
    """Return the line: a first sight of the new address, or of the old one that it is gone."""
    said = f"{order.address} became {order.new_address}"
    half = halves.seal(
        Evidence(source="platform.moved", at=order.at, inbox_id=order.inbox_id, rule=said[:200]),
        (),
        subject=Subject(person_id, place.channel, place.address),
        brand_id=order.brand_id,
        event_id=order.id,
    )
    return Entry(
        id=order.id,
        place=place,
        person_id=person_id,
        action="seen",
        purpose="marketing",
        scope=Scope.PURPOSE,
        held_scope=Scope.PURPOSE,
        purposes=("marketing",),
        sealed=half.sealed,
        commitment=half.commitment,
        platform_at=as_utc(order.at),
        recorded_at=now,
        outcome="unchanged",
        reason="moved" if linked else "moved_to_somebody",
    )
