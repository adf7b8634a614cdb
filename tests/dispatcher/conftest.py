"""What the tests of the dispatcher's desk may ask for."""

from collections.abc import AsyncIterator

import pytest

from services.dispatcher import ffprobe
from tests.dispatcher.desk_rig import Rig, a_rig
from tests.postgres import Urls


@pytest.fixture(autouse=True)
def no_ffprobe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The films of these tests are boxes without one frame in them: ffprobe would refuse them."""
    monkeypatch.setattr(ffprobe, "find", lambda: None)


@pytest.fixture
async def rig(urls: Urls) -> AsyncIterator[Rig]:
    """A dispatcher and a registry, with one brand that has one Telegram account."""
    async with a_rig(urls) as made:
        await made.open_brand()
        yield made
