"""Dead letters are tried once more: those that were asked for, with everybody asked again."""

import asyncio
from typing import Any

import pytest

from channels.base.simulator.listening import serving
from channels.registry import CHANNELS
from channels.telegram.simulator import OWN_BOT, Platform
from services.dispatcher import replaying
from services.dispatcher.campaigns import finish_if_done
from services.dispatcher.running import handlers
from services.dispatcher.work import WorkRunner
from shared.clients.base import ServiceRefused
from shared.contracts.campaigns import Campaign, Replay, ReplayIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, a_rig, until
from tests.postgres import Urls


async def ended(rig: Rig, ends: dict[str, tuple[str, str | None]]) -> Campaign:
    """A finished campaign whose messages ended like this, by address."""
    await rig.grant(*ends)
    campaign = await rig.campaign()
    await rig.step(campaign, "launch")
    await rig.work()
    for address, (status, reason) in ends.items():
        await rig.sql(
            "UPDATE dispatcher.message SET status = $1, reason = $2, attempts = 2"
            " WHERE address = $3",
            status,
            reason,
            address,
        )
    assert await finish_if_done(rig.desk.database, rig.brand_id, campaign.id)
    return campaign


async def replay(rig: Rig, campaign: Campaign, **wanted: Any) -> Replay:
    """Ask for it, do it, and return how far it is."""
    await rig.dispatcher.replay_campaign(
        rig.brand_id, campaign.id, new_id(), ReplayIn.model_validate(wanted)
    )
    await rig.work()
    return (await rig.dispatcher.replays(rig.brand_id, campaign.id)).items[0]


async def waiting(rig: Rig) -> set[str]:
    """Who waits on a slip that can be claimed."""
    rows = await rig.sql(
        "SELECT m.address FROM dispatcher.slip s CROSS JOIN LATERAL unnest(s.messages) AS u(id)"
        " JOIN dispatcher.message m ON m.id = u.id AND m.day = s.day AND m.slip_id = s.id"
        " WHERE m.status = 'queued' AND m.attempts = 0 AND s.epoch = 0 AND s.due_at <= now()"
    )
    return {row["address"] for row in rows}


ENDS: dict[str, tuple[str, str | None]] = {
    "1": ("sent", None),
    "2": ("refused", "not_found"),
    "3": ("refused", "no_rights"),
    "4": ("unknown", "answer_timeout"),
    "5": ("partial", "not_found"),
    "6": ("withheld", "capped"),
    "7": ("withheld", "hold_out"),
    "8": ("cancelled", "revoked"),
}


@pytest.mark.parametrize(
    ("wanted", "who"),
    [
        ({}, {"2", "3"}),
        ({"reasons": ["not_found"]}, {"2"}),
        ({"statuses": ["withheld"]}, {"6"}),
        ({"statuses": ["refused", "withheld"], "reasons": ["capped", "no_rights"]}, {"3", "6"}),
        ({"statuses": ["withheld"], "reasons": ["hold_out"]}, set()),
    ],
)
async def test_what_was_surely_not_taken_waits_again(
    rig: Rig, wanted: dict[str, Any], who: set[str]
) -> None:
    campaign = await ended(rig, ENDS)
    done = await replay(rig, campaign, **wanted)
    after = await rig.read(campaign)

    assert await waiting(rig) == who
    assert done.queued == len(who)
    assert done.ended_at is not None
    assert after.status == ("running" if who else "finished")
    assert (after.totals.accepted, after.totals.queued) == (len(ENDS), len(who))
    counts = after.totals.model_dump(exclude={"accepted", "withheld"})
    assert sum(counts.values()) + sum(after.totals.withheld.values()) == len(ENDS)


async def test_page_by_page_and_the_campaign_does_not_end_before(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "PAGE", 2)
    ends: dict[str, tuple[str, str | None]] = {str(n): ("sent", None) for n in range(1, 6)}
    campaign = await ended(rig, {**ends, "6": ("refused", "not_found")})
    wanted = ReplayIn()
    first = await rig.dispatcher.replay_campaign(rig.brand_id, campaign.id, new_id(), wanted)
    again = await rig.dispatcher.replay_campaign(rig.brand_id, campaign.id, first.id, wanted)
    runner = WorkRunner(rig.desk.database, handlers(rig.desk))
    await rig.sql("UPDATE dispatcher.campaign SET status = 'running'")
    steps, finished = 0, []
    while not (await rig.dispatcher.replays(rig.brand_id, campaign.id)).items[0].ended_at:
        finished.append(await finish_if_done(rig.desk.database, rig.brand_id, campaign.id))
        await runner.step()
        steps += 1

    assert again == first
    assert steps > 2
    assert finished == [False] * steps
    assert await waiting(rig) == {"6"}


async def test_a_campaign_that_has_none_is_told_so(rig: Rig) -> None:
    await rig.grant("1")
    draft = await rig.campaign()
    over = await ended(rig, {"1": ("sent", None), "2": ("refused", "not_found")})
    await rig.sql(
        "INSERT INTO dispatcher.ending (brand_id, campaign_id, expires_after, begun_at)"
        " VALUES ($1, $2, 60, now())",
        rig.brand_id,
        over.id,
    )
    told = []
    for campaign_id in (draft.id, over.id, new_id()):
        with pytest.raises(ServiceRefused) as refused:
            await rig.dispatcher.replay_campaign(rig.brand_id, campaign_id, new_id(), ReplayIn())
        told.append((refused.value.status, refused.value.code))

    assert told == [(409, "wrong_status"), (409, "story_over"), (404, "not_found")]


async def test_a_cancelled_campaign_is_left_alone(rig: Rig) -> None:
    campaign = await ended(rig, {"1": ("refused", "not_found")})
    await rig.dispatcher.replay_campaign(rig.brand_id, campaign.id, new_id(), ReplayIn())
    await rig.sql("UPDATE dispatcher.campaign SET status = 'cancelled'")
    await rig.work()
    [done] = (await rig.dispatcher.replays(rig.brand_id, campaign.id)).items

    assert (done.queued, done.ended_at is not None) == (0, True)
    assert await waiting(rig) == set()


async def test_everybody_is_asked_again_and_the_campaign_ends_once_more(urls: Urls) -> None:
    """One of two whom the platform refused has said no meanwhile."""
    await asyncio.to_thread(CHANNELS["telegram"].load)
    platform = Platform()
    ada, bea, cleo = platform.make_people(str(OWN_BOT), count=3)
    async with serving(platform.app()) as listener:
        places = (f"127.0.0.1:{listener.port}",)
        async with a_rig(urls, allowed=places, alive=True) as rig:
            await rig.open_brand(credentials=platform.credentials(listener.base_url))
            await rig.grant(ada, bea, cleo)
            campaign = await rig.step(await rig.campaign(), "launch")
            await until(lambda: rig.events("campaign.finished"))
            # As if the platform had refused them.
            await rig.sql(
                "UPDATE dispatcher.message SET status = 'refused' WHERE address = ANY($1)",
                [ada, bea],
            )
            await rig.say("revoke", bea)
            await rig.dispatcher.replay_campaign(rig.brand_id, campaign.id, new_id(), ReplayIn())

            async def ended_twice() -> bool:
                return len(await rig.events("campaign.finished")) == 2

            await until(ended_twice)
            totals = (await rig.read(campaign)).totals
            shown = [len(platform.phone(person)) for person in (ada, bea, cleo)]

    assert (totals.sent, totals.withheld) == (2, {"revoked": 1})
    assert shown == [2, 1, 1]
    await platform.close()
