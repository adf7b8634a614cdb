"""Carry an erasure to its end: silent first, then forgotten here and there, and the key last.

    revoke everything, halt → the dispatcher forgets → the inbox is emptied → consent erases

Each step may be done again after a crash. Consent comes last, because the addresses are from there;
once it has erased somebody, a repeat finds nobody, and gets the answer that was given.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from services.gateway.breaker import Breaker
from services.gateway.intake import person_key
from services.gateway.letters import API
from services.gateway.queries import accounts, inbox
from services.gateway.revocations import Revoker, Silenced
from shared import failpoints
from shared.clients.base import ServiceRefused, ServiceUnavailable
from shared.contracts.consent import ConsentEventIn, Evidence, Person, Scope
from shared.contracts.erasures import Erased, EraseIn, ErasureOrder
from shared.contracts.forgetting import Forget, Place
from shared.database import Database
from shared.ids import derived_id

log = structlog.get_logger()

_NOBODY: Final = "unknown_person"


def order_id(brand_id: UUID, person_id: UUID) -> UUID:
    """Return the one id of a person's erasure: however often, and by whom, it is ordered."""
    return derived_id(person_id, f"erased/{brand_id}")


@dataclass(frozen=True)
class Eraser:
    """Erases people through the whole house."""

    revoker: Revoker
    desk: Breaker
    database: Database

    async def carry(self, brand_id: UUID, order: ErasureOrder) -> Erased:
        """Return when nothing leads to the person any more.

        Raises `ServiceRefused` 404 for nobody, `ServiceUnavailable` where it has to be tried again.
        """
        consent = self.revoker.consent
        try:
            person = await consent.get_person(brand_id, order.person_id)
        except ServiceRefused as error:
            if error.code != _NOBODY:
                raise
            # Erased under this order already, or nobody: consent knows which.
        else:
            await failpoints.reach("gateway.erasure_begun")
            await self._silence(brand_id, person, order)
            await failpoints.reach("gateway.erasure_silenced")
            places = await self._places(brand_id, person)
            await self._forget(brand_id, person, places)
            await failpoints.reach("gateway.erasure_forgotten")
            await self._empty(brand_id, places)
            await failpoints.reach("gateway.erasure_emptied")
        erased = await consent.erase(brand_id, order.person_id, EraseIn(id=order.id, by=order.by))
        await failpoints.reach("gateway.erasure_done")
        log.info("erasure.done", consent_event=str(erased.id), seq=erased.seq)
        return erased

    async def _silence(self, brand_id: UUID, person: Person, order: ErasureOrder) -> None:
        """Revoke everything of the brand, service too, and wait until it is in force."""
        for known in person.addresses[:1]:
            silenced: Silenced = await self.revoker.carry(
                ConsentEventIn(
                    id=derived_id(order.id, "revoked"),
                    brand_id=brand_id,
                    action="revoke",
                    account_id=known.account_id,
                    address=known.address,
                    purpose="service",
                    scope=Scope.BRAND,
                    evidence=Evidence(source=f"erasure.{order.by}"),
                )
            )
            await self.revoker.halt_once_more(silenced.unsettled)

    async def _places(self, brand_id: UUID, person: Person) -> tuple[Place, ...]:
        """Return where a message to them may be: also where consent never heard of them."""
        channels = sorted({known.channel for known in person.addresses})
        async with self.database.connection(brand_id) as connection:
            known_accounts = await accounts.of_channels(connection, brand_id, channels)
        found = {
            (account_id, known.address)
            for known in person.addresses
            for account_id, channel in (
                *known_accounts,
                (known.account_id, known.channel),
            )
            if channel == known.channel
        }
        return tuple(Place(account_id=each, address=address) for each, address in sorted(found))

    async def _forget(self, brand_id: UUID, person: Person, places: tuple[Place, ...]) -> None:
        order = Forget(brand_id=brand_id, person_id=person.id, places=places)
        async with self.desk:
            forgotten = await self.revoker.dispatcher.forget(order)
        if not forgotten.settled:
            raise ServiceUnavailable("dispatcher", "something is in flight to them", sent=False)

    async def _empty(self, brand_id: UUID, places: tuple[Place, ...]) -> None:
        queues = [queue for known in places for queue in _queues(known)]
        async with self.database.connection(brand_id) as connection:
            await inbox.empty(connection, brand_id=brand_id, people=queues)


def _queues(known: Place) -> tuple[int, int]:
    """Return the queues of what came from a platform, and of what the brand ordered."""
    return (
        person_key(known.account_id, known.address),
        person_key(known.account_id, f"{API}/{known.address}"),
    )
