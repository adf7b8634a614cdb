"""From a launch to the phone, and what the brand is told about it, with every worker running."""

import asyncio

from channels.base.simulator.listening import serving
from channels.registry import CHANNELS
from channels.telegram.simulator import OWN_BOT, Platform
from shared.contracts.accounts import EndpointIn
from shared.ids import new_id
from tests.dispatcher.desk_rig import Rig, a_rig, picture, until
from tests.dispatcher.receiver import a_receiver
from tests.postgres import Urls


async def test_a_story_reaches_phones_and_the_brand_is_called_back(urls: Urls) -> None:
    # Its first import takes seconds, which are not what this is about.
    await asyncio.to_thread(CHANNELS["telegram"].load)
    platform = Platform()
    people = platform.make_people(str(OWN_BOT), count=5)
    async with serving(platform.app()) as listener, a_receiver() as receiver:
        places = (f"127.0.0.1:{listener.port}", receiver.url.split("/")[2])
        async with a_rig(urls, allowed=places, alive=True) as rig:
            await rig.open_brand(credentials=platform.credentials(listener.base_url))
            endpoint = EndpointIn.model_validate({"url": receiver.url, "types": ["message.sent"]})
            await rig.dispatcher.put_endpoint(rig.brand_id, new_id(), endpoint)
            await rig.grant(*people)
            campaign = await told_story(rig)
            await until(lambda: rig.events("campaign.finished"))
            await receiver.until(lambda: len(receiver.came) == 5)
            totals = (await rig.read(campaign)).totals
            [shown] = platform.phone(people[0])

    assert (totals.accepted, totals.sent) == (5, 5)
    assert "È arrivato l'autunno" in str(shown)
    assert len({came.headers["webhook-id"] for came in receiver.came}) == 5
    await platform.close()


async def test_no_more_calls_are_made_at_once_than_there_may_be(urls: Urls) -> None:
    """The others have their intents written down, and wait for their turn."""
    await asyncio.to_thread(CHANNELS["telegram"].load)
    platform = Platform()
    people = platform.make_people(str(OWN_BOT), count=6)
    async with serving(platform.app()) as listener:
        places = (f"127.0.0.1:{listener.port}",)
        async with a_rig(urls, allowed=places, alive=True, calls=2, pacing=False) as rig:
            await rig.open_brand(credentials=platform.credentials(listener.base_url))
            await rig.grant(*people)
            platform.gate.hold()
            story = await rig.story(frames=[{"text": "È arrivato l'autunno"}])
            campaign = await rig.step(await rig.campaign(story=story), "launch")

            async def all_fly() -> bool:
                [row] = await rig.sql(
                    "SELECT count(*) FROM dispatcher.message WHERE status = 'sending'"
                )
                return row[0] == 6 and platform.gate.waiting > 1

            await until(all_fly)
            before = platform.gate.waiting
            platform.gate.release()
            await until(lambda: rig.events("campaign.finished"))
            totals = (await rig.read(campaign)).totals

    assert before == 2
    assert totals.sent == 6
    await platform.close()


async def told_story(rig: Rig):
    kept = await rig.dispatcher.put_media(
        rig.brand_id, mime="image/jpeg", name="a.jpg", data=picture(size=(300, 500))
    )
    frame = {"media_id": str(kept.id), "text": "È arrivato l'autunno"}
    campaign = await rig.campaign(story=await rig.story(frames=[frame]))
    return await rig.step(campaign, "launch")
