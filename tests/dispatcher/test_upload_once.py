"""A picture is uploaded once for an account, whatever is forgotten, at no message's cost."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from channels.base.simulator.listening import serving
from channels.registry import CHANNELS
from channels.telegram.simulator import OWN_BOT, Platform
from services.dispatcher.store import MediaStore
from tests.dispatcher.desk_rig import Rig, a_rig, picture, until
from tests.postgres import Urls

OF_ANOTHER_BOT = "AgACAgQAAxkDAAIBof-another-bot-y"


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> list[UUID]:
    """Whose bytes were taken for an upload, by whatever process."""
    taken: list[UUID] = []
    read = MediaStore.read_fitted

    async def note(self: MediaStore, brand_id: UUID, media_id: UUID, limits):
        taken.append(media_id)
        return await read(self, brand_id, media_id, limits)

    monkeypatch.setattr(MediaStore, "read_fitted", note)
    return taken


async def told(rig: Rig, *, known: str | None = None) -> tuple[UUID, object]:
    """Send everybody a picture; `known` is what we take for the platform's reference."""
    kept = await rig.dispatcher.put_media(
        rig.brand_id, mime="image/jpeg", name="a.jpg", data=picture(size=(300, 500))
    )
    if known is not None:
        await rig.sql(
            "INSERT INTO dispatcher.media_upload (brand_id, account_id, media_id, reference)"
            " VALUES ($1, $2, $3, $4)",
            rig.brand_id,
            rig.account_id,
            kept.id,
            known,
        )
    campaign = await rig.campaign(story=await rig.story(frames=[{"media_id": str(kept.id)}]))
    await rig.step(campaign, "launch")

    async def finished() -> bool:
        return (await rig.read(campaign)).status == "finished"

    await until(finished)
    return kept.id, campaign


async def test_what_the_platform_forgot_is_uploaded_once_more_and_costs_no_attempt(
    urls: Urls, uploads: list[UUID]
) -> None:
    await asyncio.to_thread(CHANNELS["telegram"].load)
    platform = Platform()
    people = platform.make_people(str(OWN_BOT), count=12)
    async with serving(platform.app()) as listener, AsyncExitStack() as stack:
        allowed = (f"127.0.0.1:{listener.port}",)
        rig = await stack.enter_async_context(a_rig(urls, allowed=allowed, alive=True))
        await rig.open_brand(credentials=platform.credentials(listener.base_url))
        await rig.grant(*people)
        media_id, campaign = await told(rig, known=OF_ANOTHER_BOT)
        messages = await rig.messages(campaign)
        [(reference,)] = await rig.sql("SELECT reference FROM dispatcher.media_upload")

    outcomes = [entry["outcome"] for entry in platform.log.since(0)]
    assert any("wrong file identifier" in outcome for outcome in outcomes)
    assert [[a.outcome for a in each.attempts] for each in messages] == [["sent"]] * 12
    assert uploads == [media_id]
    assert [len(platform.phone(person)) for person in people] == [1] * 12
    assert reference in platform.account(str(OWN_BOT)).files
    await platform.close()


async def test_two_processes_upload_at_most_once_each(urls: Urls, uploads: list[UUID]) -> None:
    await asyncio.to_thread(CHANNELS["telegram"].load)
    platform = Platform()
    people = platform.make_people(str(OWN_BOT), count=60)
    async with serving(platform.app()) as listener, AsyncExitStack() as stack:
        allowed = (f"127.0.0.1:{listener.port}",)
        rig = await stack.enter_async_context(a_rig(urls, allowed=allowed, alive=True))
        await rig.open_brand(credentials=platform.credentials(listener.base_url))
        await rig.grant(*people)
        await stack.enter_async_context(a_rig(urls, allowed=allowed, alive=True))
        _, campaign = await told(rig)
        totals = (await rig.read(campaign)).totals

    assert totals.sent == 60
    assert 1 <= len(uploads) <= 2
    await platform.close()
