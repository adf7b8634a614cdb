"""Killed with -9 between every two steps of an erasure, and started again: it is done, once."""

import asyncio
import json
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.consent import export
from services.consent.signers import Signers
from services.gateway.routes import secret_context
from shared import clock
from shared.database import Database
from shared.ledger import verify
from shared.security import standard_webhooks
from shared.security.sealing import Sealer
from tests.failures.brand import AWAY
from tests.journeys.test_erasure import canary, dump, told_by
from tests.leaver import LEAVER

pytestmark = pytest.mark.timeout(120)
STEPS = [
    "gateway.erasure_begun",
    "gateway.erasure_silenced",
    "dispatcher.forgetting_written",
    "dispatcher.forgetting_committed",
    "gateway.erasure_forgotten",
    "gateway.erasure_emptied",
    "consent.erasure_written",
    "consent.erasure_committed",
    "gateway.erasure_done",
]
STEPS_OF_LEAVING = ["gateway.left_revoked", "consent.erasure_committed", "gateway.erasure_done"]


async def known(brand, account_id, address):
    """Let the whole house know somebody; return who they are."""
    said = brand.consent(address, "grant") | {"account_id": account_id}
    said["evidence"]["wording"] = canary(address, "wording")
    person_id = (await brand.call("POST", "/v1/consents", body=said))["receipt"]["person_id"]
    change = {"attributes": {"note": canary(address, "attribute")}}
    await brand.call("PATCH", f"/v1/people/{person_id}", body=change)
    message = {"account_id": account_id, "address": address, "purpose": "marketing"}
    content = {"content": {"text": canary(address, "content")}}
    made = await brand.call("POST", "/v1/messages", body=message | content)
    if account_id == brand.account_id:
        path = f"/v1/messages/{made['id']}"

        async def landed():
            return (await brand.call("GET", path))["status"] == "sent"

        await until(landed)
        await brand.say(address, canary(address, "words"))
        await until(lambda: _heard(brand, address))
    return person_id


async def _heard(brand, address):
    """What the person wrote has come in, and nothing of it waits."""
    found = await brand.rows("SELECT count(*) FROM gateway.work")
    return address in await _written(brand) and found[0][0] == 0


async def _written(brand):
    events = await brand.call("GET", "/v1/events?type=message.received&limit=100")
    return {event["data"]["address"] for event in events["items"]}


async def until(condition, *, within=30.0):
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.05)


async def dies_and_comes_back(processes, durable, name):
    """Wait until it is dead, start it, and let nobody wait for what the dead one had leased."""
    code = await processes.ended(name)
    owner = await asyncpg.connect(durable.urls.owner)
    await owner.execute("UPDATE gateway.slice SET lease_until = '-infinity'")
    await owner.close()
    processes.start(name)
    await processes.ready(name)
    return code


async def erasures_of(brand, person_id):
    connection = await asyncpg.connect(brand.owner_url)
    try:
        await connection.execute("SELECT set_config('app.brand', $1, false)", brand.id)
        return await connection.fetch(
            "SELECT e.id, e.reason, (SELECT count(*) FROM consent.feed f WHERE f.event_id = e.id"
            " AND f.type = 'person.erased') AS told FROM consent.event e"
            " WHERE e.person_id = $1::text::uuid AND e.action = 'erase'",
            person_id,
        )
    finally:
        await connection.close()


async def findings(brand, durable, erased_id):
    """What an auditor finds in the exported log once the erasure is in it: nothing, and it is."""

    async def logged():
        return (await brand.ask("GET", f"/v1/ledger/proofs/{erased_id}"))[0] == 200

    await until(logged)
    signers = Signers("permesso.local/ledger", brand.processes.keys.ledger_key)
    database = Database(durable.urls.consent, pool_size=1)
    try:
        exported = [line async for line in export.lines(database, signers, UUID(brand.id))]
    finally:
        await database.close()
    assert any(str(erased_id).encode() in line for line in exported)
    key = verify.read_key(str(signers.of(UUID(brand.id)).key))
    return verify.verify(exported, [key]).findings


async def route_secret(brand, account_id):
    """What the platform would have been given to sign with."""
    sealer = Sealer.from_base64(brand.processes.keys.sealing_keys["gateway"])
    (row,) = await brand.rows(
        "SELECT secret FROM gateway.route WHERE account_id = $1::text::uuid", account_id
    )
    return sealer.open(row["secret"], context=secret_context(brand.id, account_id))


async def forgotten_once(brand, durable, person_id, address, *, by):
    """Assert that nothing tells of them any more, that it was done once, and the log is whole."""

    async def told():
        rows = await erasures_of(brand, person_id)
        return bool(rows) and rows[0]["told"] > 0

    async def nothing_left():
        return told_by(await dump(durable.urls, brand.id), address) == set()

    await until(told)
    await until(nothing_left)
    (line,) = await erasures_of(brand, person_id)
    assert (line["reason"], line["told"]) == (by, 1)
    assert (await brand.ask("GET", f"/v1/people/{person_id}"))[0] == 404
    assert await findings(brand, durable, line["id"]) == []
    return line["id"]


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at(processes, durable, brand, step):
    (address,) = (await brand.control("POST", "people", {"count": 1, "language": "it"}))["people"]
    address = address["address"]
    person_id = await known(brand, brand.account_id, address)
    assert told_by(await dump(durable.urls, brand.id), address)
    victim = step.partition(".")[0]
    await processes.restart(victim, failpoints=f"{step}=crash(#1)")
    path = f"/v1/people/{person_id}"
    first, code = await asyncio.gather(
        brand.ask("DELETE", path), dies_and_comes_back(processes, durable, victim)
    )
    # Whoever got no answer asks again; the order was stored, so nobody has to.
    again = await brand.insist("DELETE", path)
    erased_id = await forgotten_once(brand, durable, person_id, address, by="brand")

    assert code == -9
    assert first[0] in (AWAY, 200, 503)
    assert (again["state"], again["id"]) == ("erased", str(erased_id))


@pytest.mark.parametrize("step", STEPS_OF_LEAVING)
async def test_who_left_is_forgotten_though_it_is_killed_at(processes, durable, brand, step):
    address = f"leaver-{uuid4().hex}"
    body = {
        "channel": LEAVER.name,
        "name": "own",
        "credentials": {"url": f"{processes.url('sandbox')}/nowhere"},
    }
    account_id = (await brand.call("POST", "/v1/accounts", body=body))["id"]
    person_id = await known(brand, account_id, address)
    victim = step.partition(".")[0]
    await processes.restart(victim, failpoints=f"{step}=crash(#1)")
    told = {"type": "left", "address": address, "signal": "unsubscribe"}
    raw = json.dumps({**told, "at": clock.now().isoformat()}).encode()
    key = await route_secret(brand, account_id)
    headers = standard_webhooks.sign([key], message_id="left", at=clock.now(), body=raw)
    url = f"{processes.url('gateway')}/webhooks/{LEAVER.name}/{account_id}"
    async with brand.http.post(url, data=raw, headers=headers) as answer:
        assert answer.status == 200
    code = await dies_and_comes_back(processes, durable, victim)
    await forgotten_once(brand, durable, person_id, address, by="platform")

    assert code == -9
