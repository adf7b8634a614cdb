"""A database that is away changes nothing about what became of a message."""

import pytest
from structlog.testing import capture_logs

from channels.base.outcomes import BadContent, TryAgain
from services.dispatcher.shelf import Shelf
from services.dispatcher.store import MediaStore
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
        await kept.forget(media_id)
    with pytest.raises(TryAgain):
        await kept.reference(media_id)


async def test_media_that_are_not_there_are_the_storys_fault(dispatcher_database):
    with pytest.raises(BadContent):
        await shelf(dispatcher_database).file(new_id())


async def test_a_reference_outlives_the_process(dispatcher_database):
    media_id, ids = new_id(), {"brand_id": new_id(), "account_id": new_id()}
    await shelf(dispatcher_database, **ids).keep(media_id, "file-id")

    assert await shelf(dispatcher_database, **ids).reference(media_id) == "file-id"
    await shelf(dispatcher_database, **ids).forget(media_id)
    assert await shelf(dispatcher_database, **ids).reference(media_id) is None
