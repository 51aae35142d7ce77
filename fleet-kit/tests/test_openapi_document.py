"""The OpenAPI document as it is served."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from fleet_kit.openapi_document import add_openapi_document


class Made:
    """A document, and how often it was made."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, str]:
        self.times += 1
        return {"openapi": "3.1.0"}


@pytest.fixture
def made() -> Made:
    return Made()


@pytest.fixture
async def client(made: Made) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.openapi = made  # type: ignore[method-assign]
    add_openapi_document(app, "/openapi")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_the_document_is_made_once_however_often_it_is_asked_for(
    client: httpx.AsyncClient, made: Made
) -> None:
    for _ in range(20):
        assert (await client.get("/openapi")).json() == {"openapi": "3.1.0"}
    assert made.times == 1


async def test_the_document_is_not_sent_to_whoever_has_it(client: httpx.AsyncClient) -> None:
    plain = await client.get("/openapi", headers={"Accept-Encoding": "identity"})
    packed = await client.get("/openapi", headers={"Accept-Encoding": "gzip"})
    assert plain.json() == packed.json()
    assert (packed.headers["content-encoding"], packed.headers["cache-control"]) == ("gzip", "no-cache")
    assert packed.headers["etag"] == plain.headers["etag"]
    again = await client.get("/openapi", headers={"If-None-Match": plain.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await client.get("/openapi", headers={"If-None-Match": 'W/"other"'})
    assert other.status_code == 200
