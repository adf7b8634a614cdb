"""What the gateway's tests may ask for."""

import pytest

from tests.gateway.gateways import running


@pytest.fixture
async def gateway(urls):
    """A gateway with its workers, the real registry and a recording desk."""
    async with running(urls) as made:
        yield made


@pytest.fixture
async def aurora(gateway):
    """A brand: its id and a client with all scopes."""
    return await gateway.brand()
