"""A deleted account leaves nothing behind that waits for ever."""

import pytest

from services.dispatcher import account_setup, expand
from services.dispatcher.queries.slips import LONGEST_FLIGHT
from shared.clients.base import ServiceRefused
from shared.contracts.messages import Content, MessageIn
from shared.ids import new_id


async def statuses(rig):
    return [row[0] for row in await rig.sql("SELECT status FROM dispatcher.message")]


async def test_a_page_that_was_asked_for_before_is_cleared_away_too(rig):
    """The expander stands between its question and its store while the account is deleted."""
    await rig.grant("1", "2")
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    plan = await expand._plan(rig.desk, rig.brand_id, campaign.id)
    page, after = await expand._ask(plan, {}, None)
    await rig.dispatcher.delete_account(rig.brand_id, rig.account_id)
    await account_setup.clear(rig.desk, rig.brand_id, rig.account_id)
    await rig.sql("DELETE FROM dispatcher.work WHERE kind = 'clear_account'")

    assert await expand._store(plan, None, page, after)
    assert await statuses(rig) == ["queued", "queued"]
    await rig.work()
    await rig.sql("UPDATE dispatcher.work SET due_at = now()")
    await rig.work()

    assert await statuses(rig) == ["cancelled", "cancelled"]
    assert (await rig.read(campaign)).status == "finished"


async def test_a_message_is_not_queued_on_an_account_that_goes_meanwhile(rig, monkeypatch):
    ask = rig.desk.consent.check

    async def asked_while_it_goes(**question):
        await rig.dispatcher.delete_account(rig.brand_id, rig.account_id)
        return await ask(**question)

    monkeypatch.setattr(rig.desk.consent, "check", asked_while_it_goes)
    wanted = MessageIn(
        account_id=rig.account_id, address="1", purpose="marketing", content=Content(text="Ciao")
    )
    with pytest.raises(ServiceRefused) as refused:
        await rig.dispatcher.put_message(rig.brand_id, new_id(), wanted)

    assert refused.value.status == 422
    assert await statuses(rig) == []


async def test_what_a_dead_process_left_in_flight_ends_some_day(rig):
    """Without a lane there is no takeover."""
    await rig.grant("1")
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    await rig.work()
    await rig.sql("UPDATE dispatcher.message SET status = 'sending', attempt_id = id")
    await rig.dispatcher.delete_account(rig.brand_id, rig.account_id)
    assert await account_setup.clear(rig.desk, rig.brand_id, rig.account_id) is not None
    assert await statuses(rig) == ["sending"]

    await rig.sql(
        "UPDATE dispatcher.message SET updated_at = now() - make_interval(secs => $1)",
        LONGEST_FLIGHT + 1,
    )
    assert await account_setup.clear(rig.desk, rig.brand_id, rig.account_id) is None
    assert await statuses(rig) == ["unknown"]
