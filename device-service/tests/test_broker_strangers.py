"""What the login of a stranger costs: as little as it can, for the broker names no address to count by."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from device_service.credentials.keys import new_key

from .conftest import Organization
from .test_broker import ask

pytestmark = pytest.mark.attack


@contextmanager
def queries(app: FastAPI) -> Iterator[list[str]]:
    """The statements that are executed in Postgres meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    engine = app.state.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "key", ["", "guess", "dk_short", "dk_" + "a" * 44, "xx_" + "a" * 43, "dk_" + "é" * 43]
)
async def test_what_cannot_be_a_key_is_refused_without_asking_postgres(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient, key: str
) -> None:
    made = await organization.make_device()
    with queries(app) as seen:
        assert not await ask(app, anyone, "user", username=made["id"], password=key, client_id="x")
        assert not await ask(app, anyone, "user", username=str(uuid4()), password=key, client_id="x")
    assert seen == []


async def test_a_login_that_was_refused_is_refused_again_without_asking_postgres(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made = await organization.make_device()
    for name in (made["id"], str(uuid4())):
        login = {"username": name, "password": new_key(), "client_id": "x"}
        assert not await ask(app, anyone, "user", **login)
        with queries(app) as seen:
            assert not await ask(app, anyone, "user", **login)
        assert seen == []
    login = {"username": made["id"], "password": made["key"], "client_id": "x"}
    assert await ask(app, anyone, "user", **login)


async def test_many_unknown_devices_at_once_cost_few_queries_and_none_of_them_is_another(
    app: FastAPI, organization: Organization, anyone: httpx.AsyncClient
) -> None:
    made = [await organization.make_device() for _ in range(3)]
    strangers = [{"id": str(uuid4()), "key": new_key()} for _ in range(60)]
    with queries(app) as seen:
        allowed = await asyncio.gather(
            *(
                ask(app, anyone, "user", username=one["id"], password=one["key"], client_id="x")
                for one in strangers[:30] + made + strangers[30:]
            )
        )
    assert allowed == [False] * 30 + [True] * 3 + [False] * 30
    assert len(seen) < 20
