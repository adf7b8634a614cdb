"""A brand with a history, and its export."""

import random

from services.consent import export
from services.consent.notary import Notary
from services.consent.registry import Registry
from shared.contracts.consent import Scope
from tests.consent.consent_house import House

ACTIONS = ("grant", "grant", "revoke", "grant", "block", "unblock", "seen")


async def live(house: House, registry: Registry, *, events: int, chance: random.Random) -> None:
    """Let people say things, and the notary come by now and then."""
    notary = Notary(registry)
    for _ in range(events):
        action = chance.choice(ACTIONS)
        scope = chance.choice(list(Scope)) if action == "revoke" else Scope.PURPOSE
        # Everybody who is seen is somebody new, or it would be no line of the ledger.
        person = f"n{chance.random()}" if action == "seen" else f"p{chance.randrange(9)}"
        await house.say(action, person, scope=scope)
        if chance.random() < 0.15:
            await notary.advance(house.brand_id)
    await notary.advance(house.brand_id)


async def exported(house: House, registry: Registry) -> list[bytes]:
    """The lines of the export."""
    lines = export.lines(registry.database, registry.signers, house.brand_id)
    return [line async for line in lines]
