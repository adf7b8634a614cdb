"""What follows from what people say, block and tap."""

from datetime import timedelta

import orjson

from services.gateway.sayings import START_BUTTON, STOP_BUTTON
from shared import clock
from shared.security import standard_webhooks
from tests.gateway.gateways import membership, message, tap


async def allowed(client, purpose="marketing", address="42"):
    body = {"channel": "telegram", "purpose": purpose, "addresses": [address]}
    (result,) = (await client.post("/v1/consents/check", json=body)).json()["results"]
    return result["allowed"], result["reason"]


async def hear(gateway, account, *updates):
    for update in updates:
        assert (await gateway.hears(account, update)).status_code == 200
    await gateway.settle()


def replies(gateway):
    # Different persons are answered in no order.
    messages = sorted(gateway.desk.messages.values(), key=lambda message: message.address)
    return [message.content.text for message in messages]


def received(gateway):
    return [event.data for event in gateway.desk.events.values()]


async def history(client, address="42"):
    found = await client.get(f"/v1/people?channel=telegram&address={address}")
    (person,) = found.json()["items"]
    return (await client.get(f"/v1/people/{person['id']}/history")).json()["items"]


async def test_talk_is_told_to_the_brand_and_agrees_to_nothing(gateway, aurora):
    brand_id, client = aurora
    account = await gateway.telegram(client)

    await hear(gateway, account, message(1, "Avete il decaffeinato?"))

    (event,) = gateway.desk.events.values()
    assert (event.brand_id, event.type) == (brand_id, "message.received")
    assert event.data["text"] == "Avete il decaffeinato?"
    assert event.data["address"] == "42"
    assert event.data["platform_id"] == "1"
    assert "keyword" not in event.data
    assert await allowed(client) == (False, "no_consent")
    assert replies(gateway) == []
    assert [entry["action"] for entry in await history(client)] == ["seen"]


async def asks_once(client):
    """Let a yes in a chat count at once."""
    answer = await client.patch("/v1/policy", json={"double_opt_in": False})
    assert answer.status_code == 200, answer.text


def question(gateway):
    """Return the data of both buttons below the newest notice."""
    *_, asked = [m.content for m in gateway.desk.messages.values() if m.content.choices]
    return [choice.data for choice in asked.choices]


async def test_a_yes_is_asked_for_once_more_and_its_button_confirms(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    await hear(gateway, account, message(1, "/start flyer"))
    asked = await allowed(client)
    yes, _ = question(gateway)
    await hear(gateway, account, tap(2, yes))

    assert asked == (False, "pending")
    assert await allowed(client) == (True, "granted")
    _, served, confirm = await history(client)
    notice = confirm["evidence"]["notice"]
    (first, _) = gateway.desk.messages.values()
    assert (served["id"], str(first.id)) == (notice["event_id"], notice["message_id"])
    assert served["evidence"]["wording"] == first.content.text
    assert orjson.loads(confirm["evidence"]["raw"]) == tap(2, yes)
    assert len(yes.encode()) <= 64
    assert gateway.desk.taps == ["tap-2"]


async def test_the_button_no_is_a_revocation_that_is_halted(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    await hear(gateway, account, message(1, "/start flyer"))
    _, no = question(gateway)
    await hear(gateway, account, tap(2, no))

    assert await allowed(client) == (False, "revoked")
    assert len(gateway.desk.halts) == 1
    assert "START" in replies(gateway)[-1]


async def test_a_button_of_no_question_agrees_to_nothing(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    await hear(gateway, account, tap(1, "permesso:yes:1"), tap(2, "permesso:maybe:" + "0" * 32))

    assert await allowed(client) == (False, "no_consent")
    assert replies(gateway) == []


async def test_start_in_words_is_a_grant_with_evidence(gateway, aurora):
    _, client = aurora
    await asks_once(client)
    account = await gateway.telegram(client)

    await hear(gateway, account, message(1, "START"))

    assert await allowed(client) == (True, "granted")
    (entry,) = await history(client)
    evidence = entry["evidence"]
    assert (entry["action"], entry["purpose"]) == ("grant", "marketing")
    assert evidence["source"] == "chat"
    assert evidence["text"] == "START"
    assert evidence["rule"] == "whole:start"
    assert evidence["platform_id"] == "1"
    assert evidence["inbox_id"]
    assert received(gateway)[0]["keyword"] == "start"
    (reply,) = gateway.desk.messages.values()
    assert (reply.purpose, reply.address) == ("reply", "42")
    assert "Aurora" in reply.content.text


async def test_stop_revokes_halts_and_only_then_confirms(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    await hear(gateway, account, message(1, "start"))
    gateway.desk.messages.clear()

    gateway.desk.answering.clear()
    assert (await gateway.hears(account, message(2, "stop per favore"))).status_code == 200
    await gateway.desk.halted.wait()
    before_the_halt = list(gateway.desk.messages)
    gateway.desk.answering.set()
    await gateway.settle()

    assert before_the_halt == []
    assert await allowed(client) == (False, "revoked")
    (order,) = gateway.desk.halts
    targets = {(t.account_id, t.address) for t in order.targets}
    assert targets == {(account.id, "42")}
    assert "marketing" in order.targets[0].purposes
    assert "service" not in order.targets[0].purposes
    (reply,) = gateway.desk.messages.values()
    assert "START" in reply.content.text
    assert received(gateway)[-1]["keyword"] == "stop"


async def test_stop_leaves_service_messages_alone(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)

    await hear(gateway, account, message(1, "/start"), message(2, "STOP"))

    assert await allowed(client, "service") == (True, "granted")
    assert await allowed(client) == (False, "revoked")


async def test_a_start_that_is_older_than_the_stop_brings_nothing_back(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    earlier = clock.now() - timedelta(minutes=5)

    await hear(gateway, account, message(2, "stop"), message(1, "start", at=earlier))

    assert await allowed(client) == (False, "revoked")
    assert len(replies(gateway)) == 1


async def test_help_is_answered_and_changes_nothing(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)

    await hear(gateway, account, message(1, "help"))

    (reply,) = replies(gateway)
    assert "STOP" in reply
    assert "START" in reply
    assert await allowed(client) == (False, "no_consent")


async def test_a_followed_link_is_a_grant_and_a_bare_start_only_a_question(gateway, aurora):
    _, client = aurora
    await asks_once(client)
    account = await gateway.telegram(client)

    await hear(gateway, account, message(1, "/start", chat=7), message(2, "/start flyer", chat=8))

    assert await allowed(client, address="7") == (False, "no_consent")
    assert await allowed(client, "service", address="7") == (True, "granted")
    assert await allowed(client, address="8") == (True, "granted")
    (entry,) = await history(client, "8")
    assert entry["evidence"]["source"] == "telegram.start"
    assert entry["evidence"]["payload"] == "flyer"
    question, thanks = replies(gateway)
    assert "START" in question
    assert "STOP" in thanks


async def test_the_language_of_the_keyword_is_the_language_of_the_reply(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)

    await hear(gateway, account, message(1, "unsubscribe"))

    (reply,) = replies(gateway)
    assert reply.startswith("Done")


async def test_a_tap_is_acknowledged_and_told(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)

    await hear(gateway, account, tap(1, "menu:1"))

    assert gateway.desk.taps == ["tap-1"]
    (told,) = received(gateway)
    assert (told["kind"], told["tapped"]) == ("tap", "menu:1")
    assert await allowed(client) == (False, "no_consent")


async def test_our_own_buttons_mean_start_and_stop(gateway, aurora):
    _, client = aurora
    await asks_once(client)
    account = await gateway.telegram(client)

    await hear(gateway, account, tap(1, START_BUTTON))
    after_start = await allowed(client)
    await hear(gateway, account, tap(2, STOP_BUTTON))

    assert after_start == (True, "granted")
    assert await allowed(client) == (False, "revoked")
    assert len(gateway.desk.halts) == 1
    revoked = (await history(client))[-1]
    assert revoked["evidence"]["source"] == "button"
    assert revoked["evidence"]["rule"] == f"button:{STOP_BUTTON}"


async def test_who_blocks_is_silenced_and_gets_no_reply(gateway, aurora):
    _, client = aurora
    account = await gateway.telegram(client)
    await hear(gateway, account, message(1, "start"))
    gateway.desk.messages.clear()

    await hear(gateway, account, membership(2, "kicked"))
    blocked = await allowed(client)
    await hear(gateway, account, membership(3, "member"))

    assert blocked == (False, "blocked")
    assert len(gateway.desk.halts) == 1
    assert replies(gateway) == []
    assert (await allowed(client))[0] is False


async def test_a_receipt_goes_to_its_message(gateway, aurora):
    brand_id, client = aurora
    credentials = {"url": "https://chat.example.com/permesso"}
    answer = await client.post(
        "/v1/accounts", json={"channel": "webhook", "name": "own", "credentials": credentials}
    )
    account_id = answer.json()["id"]
    await client.post(f"/v1/accounts/{account_id}/connect")
    secret = gateway.desk.connected.popitem()[1].secret
    body = orjson.dumps({"type": "receipt", "id": "msg_1", "status": "delivered"})
    headers = standard_webhooks.sign([secret.encode()], message_id="w1", at=clock.now(), body=body)

    path = f"/webhooks/webhook/{account_id}"
    answers = [await gateway.http.post(path, content=body, headers=headers) for _ in range(2)]
    forged = await gateway.http.post(path, content=body + b" ", headers=headers)
    await gateway.settle()

    assert [answer.status_code for answer in answers] == [200, 200]
    assert forged.status_code == 401
    (receipt,) = gateway.desk.receipts.values()
    assert (receipt.platform_id, receipt.status) == ("msg_1", "delivered")
    assert len(await gateway.rows(brand_id)) == 1


async def test_everything_twice_is_everything_once(gateway, aurora):
    """As after a crash between the doing and the noting down."""
    brand_id, client = aurora
    account = await gateway.telegram(client)
    updates = [message(1, "start"), message(2, "ciao"), message(3, "stop"), tap(4, "x")]
    await hear(gateway, account, *updates)
    before = (len(gateway.desk.events), len(gateway.desk.messages), len(await history(client)))

    async with gateway.house.database.connection(brand_id) as connection:
        await connection.execute("UPDATE gateway.inbox SET state = 'new'")
        await connection.execute(
            "INSERT INTO gateway.work (slice, brand_id, inbox_id, person)"
            " SELECT (person & 15)::smallint, brand_id, id, person FROM gateway.inbox ORDER BY id"
        )
    await gateway.settle()

    after = (len(gateway.desk.events), len(gateway.desk.messages), len(await history(client)))
    assert before == after
    assert await allowed(client) == (False, "revoked")
    assert gateway.desk.events_told == 8


async def test_nothing_a_person_wrote_is_in_a_log(gateway, aurora, capsys):
    _, client = aurora
    account = await gateway.telegram(client)

    await hear(gateway, account, message(1, "un segreto mio"), message(2, "stop"))

    shown = capsys.readouterr().out
    assert "revocation.in_force" in shown
    for secret in ("un segreto mio", "Ada", account.secret, "Aurora"):
        assert secret not in shown
