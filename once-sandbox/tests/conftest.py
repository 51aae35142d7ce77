"""Fixtures: a sandbox in this process, and one behind a real server."""

from collections.abc import AsyncIterator

import pytest

from .support import Client, make_app, make_client, serving


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with make_client() as made:
        yield made


@pytest.fixture
async def served() -> AsyncIterator[Client]:
    """The same, over real connections."""
    app = make_app()
    async with serving(app) as url, Client(base_url=url, timeout=60) as made:
        made.sandbox_app = app
        await made.log_in()
        yield made
