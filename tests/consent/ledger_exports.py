"""A brand with a history, and its export."""

import random
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from services.consent import export
from services.consent.notary import Notary
from services.consent.registry import Registry
from shared.contracts.consent import Scope
from shared.ledger import entries, merkle
from shared.ledger.notes import Checkpoint, NoteSigner
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


def large(signer: NoteSigner, brand_id: UUID, *, events: int, every: int) -> list[bytes]:
    """An export of so many events, made by the log's own code but for the database."""
    lines = [{"type": "ledger", "version": 1, "origin": signer.key.name, "key": str(signer.key)}]
    tree, leaves = merkle.Tree(), list[str]()
    begin = datetime(2026, 11, 22, 10, tzinfo=UTC)
    chance = random.Random(events)
    for number in range(events):
        sealed = chance.randbytes(160)
        line = {
            "brand_id": brand_id,
            "id": UUID(int=chance.getrandbits(128)),
            "account_id": UUID(int=7),
            "seq": number + 1,
            "action": "grant" if number % 3 else "revoke",
            "channel": "telegram",
            "purpose": "marketing",
            "scope": "purpose",
            "held_scope": "purpose",
            "purposes": ["marketing"],
            "outcome": "granted" if number % 3 else "revoked",
            "reason": None,
            "platform_at": None,
            "recorded_at": begin + timedelta(milliseconds=number),
            "expires_at": None,
            "sealed": sealed,
            "commitment": sha256(sealed).digest(),
        }
        lines.append(export.event_line({**line, "number": number}))
        leaf = merkle.leaf_hash(entries.canonical(entries.entry(line)))
        tree.append(leaf)
        leaves.append(b64encode(leaf).decode())
        if tree.size % every == 0 or tree.size == events:
            note = signer.sign(Checkpoint(signer.key.name, tree.size, tree.root()).text())
            lines.append({"type": "checkpoint", "note": note, "leaves": leaves})
            leaves = []
    lines.append({"type": "end", "size": tree.size})
    return [entries.canonical(line) + b"\n" for line in lines]
