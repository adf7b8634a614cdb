"""A whole house for each journey."""

from collections.abc import AsyncIterator

import pytest

from tests.house import House, a_house
from tests.postgres import Urls


@pytest.fixture
async def house(urls: Urls) -> AsyncIterator[House]:
    """A house with one brand and its connected bot."""
    async with a_house(urls) as opened:
        await opened.open_brand()
        yield opened
