"""A database that is away changes nothing about what became of a message."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from channels.base.outcomes import BadContent, TryAgain
from services.dispatcher.shelf import Shelf
from services.dispatcher.store import MediaStore
from shared import clock
from shared.database import Database
from shared.ids import new_id


def shelf(database: Database, **ids) -> Shelf:
    ids = {"brand_id": new_id(), "account_id": new_id(), **ids}
    return Shelf(database, MediaStore(database), **ids)


@pytest.fixture
async def away():
    """A database whose server is not there."""
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    yield database
    await database.close()


async def test_before_the_call_nothing_was_taken(away):
    media_id = new_id()
    kept = shelf(away)
    for _ in "twice":  # Who found nothing is not the uploader, for whom the next one would wait.
        with pytest.raises(TryAgain):
            await kept.reference(media_id)
    with pytest.raises(TryAgain):
        await kept.file(media_id)


async def test_after_the_call_the_reference_is_known_here_at_least(away):
    media_id = new_id()
    kept = shelf(away)
    with capture_logs() as told:
        await kept.keep(media_id, "file-id")

    assert await kept.reference(media_id) == "file-id"
    assert [line["event"] for line in told] == ["media.not_remembered"]


async def test_a_reference_that_the_platform_forgot_is_forgotten_here_at_least(away):
    media_id = new_id()
    kept = shelf(away)
    with capture_logs():
        await kept.keep(media_id, "file-id")
        await kept.forget(media_id, "file-id")
    with pytest.raises(TryAgain):
        await kept.reference(media_id)


async def test_a_newer_reference_is_known_though_it_could_not_be_stored(away):
    media_id = new_id()
    kept = shelf(away)
    with capture_logs():
        await kept.keep(media_id, "new")
        await kept.forget(media_id, "old")

    assert await kept.reference(media_id) == "new"


async def test_media_that_are_not_there_are_the_storys_fault(dispatcher_database):
    with pytest.raises(BadContent):
        await shelf(dispatcher_database).file(new_id())


async def test_a_reference_outlives_the_process(dispatcher_database):
    media_id, ids = new_id(), {"brand_id": new_id(), "account_id": new_id()}
    await shelf(dispatcher_database, **ids).keep(media_id, "file-id")

    assert await shelf(dispatcher_database, **ids).reference(media_id) == "file-id"
    await shelf(dispatcher_database, **ids).forget(media_id, "file-id")
    assert await shelf(dispatcher_database, **ids).reference(media_id) is None


async def test_a_reference_is_used_until_shortly_before_it_expires(dispatcher_database):
    media_id, ids = new_id(), {"brand_id": new_id(), "account_id": new_id()}
    for seconds, known in ((3_600, "file-id"), (30, None), (-1, None)):
        kept = shelf(dispatcher_database, **ids)
        await kept.keep(media_id, "file-id", expires_at=clock.now() + timedelta(seconds=seconds))

        assert await kept.reference(media_id) == known  # as the one who kept it remembers it
        assert await shelf(dispatcher_database, **ids).reference(media_id) == known


async def test_who_hears_late_that_a_reference_is_gone_leaves_the_newer_one(dispatcher_database):
    media_id, ids = new_id(), {"brand_id": new_id(), "account_id": new_id()}
    kept = shelf(dispatcher_database, **ids)
    await kept.keep(media_id, "old")
    await kept.forget(media_id, "old")
    assert await kept.reference(media_id) is None
    await kept.keep(media_id, "new")
    await kept.forget(media_id, "old")

    assert await kept.reference(media_id) == "new"
    assert await shelf(dispatcher_database, **ids).reference(media_id) == "new"


async def test_many_who_ask_at_once_upload_once_in_each_process(dispatcher_database):
    media_id, ids = new_id(), {"brand_id": new_id(), "account_id": new_id()}
    processes = [shelf(dispatcher_database, **ids) for _ in range(2)]
    uploads = 0

    async def send(kept: Shelf) -> str:
        nonlocal uploads
        known = await kept.reference(media_id)
        if known is None:
            uploads += 1
            await asyncio.sleep(0)
            await kept.keep(media_id, known := f"file-{uploads}")
        return known

    async with asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(send(processes[number % 2]))

    assert uploads <= 2
