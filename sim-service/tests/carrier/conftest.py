"""Carriers for the tests of single calls."""

from collections.abc import AsyncIterator
from itertools import product

import pytest
from redis.asyncio import Redis

from sim_service.carrier.base import Carrier
from sim_service.carrier.once.build import open_once
from sim_service.settings import Settings

from ..support import SandboxUnderTest


@pytest.fixture(
    params=product(["spec", "recorded"], [("v2", "v1"), ("v1",)]), ids=lambda p: f"{p[0]}-{p[1][0]}"
)
async def carrier(
    request: pytest.FixtureRequest, settings: Settings, sandbox: SandboxUnderTest, redis: Redis
) -> AsyncIterator[Carrier]:
    """The client in front of a sandbox of either profile, with v2 preferred or with v1 alone."""
    name, versions = request.param
    sandbox.reset(name)
    async with open_once(settings.model_copy(update={"carrier_api_versions": versions}), redis) as opened:
        yield opened


@pytest.fixture
async def client(settings: Settings, sandbox: SandboxUnderTest, redis: Redis) -> AsyncIterator[Carrier]:
    async with open_once(settings, redis) as opened:
        yield opened
