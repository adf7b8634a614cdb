"""Accounts: sealed, opened once, opened anew when changed."""

import socket
from collections.abc import AsyncIterator

import pytest

from channels.base.outcomes import AccountBroken, Sent, TryAgain
from channels.base.simulator.listening import serving
from channels.telegram.simulator import OWN_BOT, OWN_TOKEN, Platform
from services.dispatcher import accounts as module
from services.dispatcher.accounts import NoSuchAccount
from services.dispatcher.states import Status
from shared.contracts.accounts import AccountChange, ConnectIn
from shared.ids import new_id
from shared.security.sealing import SealBroken
from tests.dispatcher.desk_rig import Rig, a_rig
from tests.postgres import Urls

HOOK = ConnectIn(webhook_url="https://brand.example/webhooks/telegram/1", secret="s" * 32)


@pytest.fixture
async def connected(urls: Urls) -> AsyncIterator[tuple[Rig, Platform]]:
    """A rig whose account points at a simulated Telegram."""
    platform = Platform()
    async with serving(platform.app()) as listener:
        place = f"127.0.0.1:{listener.port}"
        async with a_rig(urls, allowed=(place,)) as rig:
            await rig.open_brand(credentials=platform.credentials(listener.base_url))
            yield rig, platform
    await platform.close()


async def state(rig: Rig):
    return (await rig.dispatcher.accounts(rig.brand_id))[rig.account_id]


async def test_no_credential_is_readable_in_the_database(rig: Rig) -> None:
    [row] = await rig.sql("SELECT credentials, platform_id FROM dispatcher.account")
    secret = OWN_TOKEN.partition(":")[2]

    assert secret.encode() not in row["credentials"]
    assert row["platform_id"] == str(OWN_BOT)


async def test_a_seal_holds_for_its_own_account_alone(rig: Rig) -> None:
    other = await rig.add_account(credentials={"token": "77:other"})
    await rig.sql(
        "UPDATE dispatcher.account a SET credentials = b.credentials FROM dispatcher.account b"
        " WHERE a.id = $1 AND b.id = $2",
        other,
        rig.account_id,
    )

    with pytest.raises(SealBroken):
        await rig.desk.accounts.sender(rig.brand_id, other)


async def test_wrong_credentials_are_refused_by_field_and_never_echoed(rig: Rig) -> None:
    account_id = new_id()
    answer = await rig.http.put(
        rig.path("accounts", account_id),
        json={
            "id": str(account_id),
            "brand_id": str(rig.brand_id),
            "channel": "telegram",
            "name": "x",
            "credentials": {"token": "not-a-token-but-secret"},
        },
    )

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == ["/credentials/token"]
    assert "not-a-token" not in answer.text


@pytest.mark.parametrize(
    ("settings", "pointer"),
    [
        ({"per_second": -1}, "/settings/per_second"),
        ({"timezone": "Mars"}, "/settings/timezone"),
        ({"form": "circus"}, "/settings/form"),
        ({"unheard_of": 1}, "/settings/unheard_of"),
    ],
)
async def test_wrong_settings_are_refused_by_field(
    rig: Rig, settings: dict[str, object], pointer: str
) -> None:
    answer = await rig.http.patch(rig.path("accounts", rig.account_id), json={"settings": settings})

    assert answer.status_code == 422
    assert [e["pointer"] for e in answer.json()["errors"]] == [pointer]


async def test_an_unchanged_account_is_opened_once(rig: Rig) -> None:
    one = await rig.desk.accounts.sender(rig.brand_id, rig.account_id)
    two = await rig.desk.accounts.sender(rig.brand_id, rig.account_id, fresh=True)

    assert one is two


async def test_a_changed_account_is_opened_anew(rig: Rig) -> None:
    one = await rig.desk.accounts.sender(rig.brand_id, rig.account_id)
    await rig.dispatcher.change_account(
        rig.brand_id, rig.account_id, AccountChange(settings={"per_second": 5})
    )

    two = await rig.desk.accounts.sender(rig.brand_id, rig.account_id, fresh=True)

    assert two.sender is not one.sender
    assert two.version == one.version + 1
    assert two.settings == {"per_second": 5}


async def test_a_change_is_seen_within_a_second_by_who_has_it_open(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.desk.accounts.sender(rig.brand_id, rig.account_id)
    await rig.dispatcher.change_account(
        rig.brand_id, rig.account_id, AccountChange(settings={"per_second": 5})
    )
    cached = await rig.desk.accounts.sender(rig.brand_id, rig.account_id)
    monkeypatch.setattr(module, "CHECK_EVERY", 0.0)

    seen = await rig.desk.accounts.sender(rig.brand_id, rig.account_id)

    assert cached.settings == {}
    assert seen.settings == {"per_second": 5}


async def test_an_old_sender_is_closed_a_while_later(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.desk.accounts.sender(rig.brand_id, rig.account_id)
    await rig.dispatcher.change_account(rig.brand_id, rig.account_id, AccountChange(name="B"))
    await rig.desk.accounts.sender(rig.brand_id, rig.account_id, fresh=True)
    at_once = await rig.desk.accounts.step()
    monkeypatch.setattr(module, "CLOSE_AFTER", -1.0)

    later = await rig.desk.accounts.step()

    assert (at_once, later) == (0, 1)


async def test_an_account_of_another_brand_is_not_there(rig: Rig) -> None:
    with pytest.raises(NoSuchAccount):
        await rig.desk.accounts.sender(new_id(), rig.account_id)

    answer = await rig.http.patch(f"/v1/brands/{new_id()}/accounts/{rig.account_id}", json={})
    assert answer.status_code == 404


async def test_the_platform_checks_who_we_are(connected: tuple[Rig, Platform]) -> None:
    rig, _ = connected

    told = await rig.dispatcher.connect(rig.brand_id, rig.account_id, HOOK)

    assert (told.status, told.platform_id) == ("connected", str(OWN_BOT))
    assert told.platform_name


async def test_a_bot_is_connected_once(connected: tuple[Rig, Platform]) -> None:
    rig, platform = connected
    await rig.dispatcher.connect(rig.brand_id, rig.account_id, HOOK)
    [row] = await rig.sql("SELECT platform_id FROM dispatcher.account")
    second = await rig.add_account(credentials=rig.credentials)
    calls = platform.log.last_seq

    answer = await rig.http.post(rig.path("accounts", second, "connect"), json=HOOK.model_dump())

    assert row["platform_id"] == str(OWN_BOT)
    assert (answer.status_code, answer.json()["code"]) == (409, "account_taken")
    assert str(rig.account_id) in answer.json()["detail"]
    assert platform.log.last_seq == calls
    await rig.dispatcher.connect(rig.brand_id, rig.account_id, HOOK)
    await rig.dispatcher.delete_account(rig.brand_id, rig.account_id)
    told = await rig.dispatcher.connect(rig.brand_id, second, HOOK)
    assert told.status == "connected"


async def test_another_brands_account_is_not_named(connected: tuple[Rig, Platform]) -> None:
    rig, _ = connected
    await rig.dispatcher.connect(rig.brand_id, rig.account_id, HOOK)
    first = rig.account_id
    rig.brand_id, rig.accounts = new_id(), []
    await rig.open_brand(credentials=rig.credentials)

    answer = await rig.http.post(
        rig.path("accounts", rig.account_id, "connect"), json=HOOK.model_dump()
    )

    assert (answer.status_code, answer.json()["code"]) == (409, "account_taken")
    assert str(first) not in answer.text


async def test_a_platform_that_refuses_us_is_quoted(connected: tuple[Rig, Platform]) -> None:
    rig, platform = connected
    platform.fail_next("bad_account")

    answer = await rig.http.post(
        rig.path("accounts", rig.account_id, "connect"), json=HOOK.model_dump()
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "account_refused")
    assert (await state(rig)).status == "broken"
    assert len(await rig.events("account.broken")) == 1


async def test_connecting_mends_a_broken_account(connected: tuple[Rig, Platform]) -> None:
    rig, _ = connected
    await rig.desk.accounts.broken(rig.brand_id, rig.account_id, "unauthorized")
    await rig.sql("UPDATE dispatcher.lane SET paused_until = 'infinity'")

    told = await rig.dispatcher.connect(rig.brand_id, rig.account_id, HOOK)

    [lane] = await rig.sql("SELECT paused_until < now() AS free FROM dispatcher.lane")
    assert (told.status, told.status_reason) == ("connected", None)
    assert lane["free"]
    assert len(await rig.events("account.recovered")) == 1


async def test_a_platform_that_is_away_changes_nothing(urls: Urls) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"127.0.0.1:{listener.getsockname()[1]}"
    async with a_rig(urls, allowed=(closed,)) as rig:
        await rig.open_brand(credentials={"token": OWN_TOKEN, "api_base": f"http://{closed}"})

        answer = await rig.http.post(
            rig.path("accounts", rig.account_id, "connect"), json=HOOK.model_dump()
        )

        assert (answer.status_code, answer.json()["code"]) == (422, "platform_unavailable")
        assert (await state(rig)).status == "new"


async def test_a_broken_account_is_told_of_once_and_recovers_once(rig: Rig) -> None:
    key = (rig.brand_id, rig.account_id)
    await rig.desk.accounts.sender(*key)
    for _ in range(3):
        await rig.desk.accounts.noticed(*key, AccountBroken("unauthorized"))
    await rig.desk.accounts.noticed(*key, TryAgain("connect_refused"))
    broken = await state(rig)

    for _ in range(3):
        await rig.desk.accounts.noticed(*key, Sent(("1",)))

    assert (broken.status, broken.status_reason) == ("broken", "unauthorized")
    assert (await state(rig)).status == "connected"
    assert len(await rig.events("account.broken")) == 1
    assert len(await rig.events("account.recovered")) == 1


async def test_a_deleted_account_leaves_nothing_waiting(rig: Rig) -> None:
    await rig.grant("1", "2", "3")
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    await rig.work()
    await rig.sql("UPDATE dispatcher.message SET status = $1 WHERE address = '1'", Status.SENDING)
    path = rig.path("accounts", rig.account_id)

    assert (await rig.http.delete(path)).status_code == 204
    assert (await rig.http.delete(path)).status_code == 204
    await rig.work()

    [row] = await rig.sql("SELECT credentials FROM dispatcher.account")
    totals = (await rig.read(campaign)).totals
    assert row["credentials"] == b""
    assert await rig.dispatcher.accounts(rig.brand_id) == {}
    assert await rig.sql("SELECT 1 FROM dispatcher.lane") == []
    assert (totals.cancelled, totals.sending) == (2, 1)


async def test_a_tap_is_acknowledged_after_the_answer(connected: tuple[Rig, Platform]) -> None:
    rig, platform = connected

    answer = await rig.http.post(
        rig.path("accounts", rig.account_id, "taps"), json={"tap_id": "4711"}
    )

    assert answer.status_code == 202
    assert [e["method"] for e in platform.log.since(0)] == ["answerCallbackQuery"]
