"""The OpenAPI document names every status, and a test that meets another one fails."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from fleet_infra import testing_openapi
from fleet_kit.app import create_app
from fleet_kit.errors import Conflict
from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentOperator, CurrentUser, PlatformAdmin
from fleet_kit.schemas import StrictModel
from fleet_kit.settings import ServiceSettings

router = APIRouter(prefix="/things")


class Thing(StrictModel):
    name: str


@router.get("/public")
async def public() -> None: ...


@router.get("")
async def things(user: CurrentUser, page: int = 1) -> None: ...


@router.get("/{number}")
async def thing(number: int, user: CurrentUser) -> None: ...


@router.get("/{number}/secrets")
async def secret(number: int, user: PlatformAdmin) -> None: ...


@router.put("/{number}")
async def change(number: int, body: Thing, user: CurrentUser) -> None: ...


@router.post("")
@raises(Conflict)
async def create(body: Thing, user: CurrentOperator) -> None: ...


@router.delete("/silent")
async def silent() -> None:
    raise Conflict("nobody said that this can happen")


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
def app() -> FastAPI:
    settings = ServiceSettings(amqp_url="amqp://x:y@z/", redis_url="redis://x")
    return create_app(
        service="test", settings=settings, routers=[router], lifespan=lifespan, checks=lambda _: {}
    )


@pytest.mark.parametrize(
    ("method", "path", "statuses"),
    [
        ("get", "/public", "200 429 503"),
        ("get", "", "200 401 414 422 429 503"),
        ("get", "/{number}", "200 401 404 422 429 503"),
        ("get", "/{number}/secrets", "200 401 403 404 422 429 503"),
        ("put", "/{number}", "200 400 401 403 404 408 413 422 429 503"),
        ("post", "", "200 400 401 403 408 409 413 422 429 503"),
    ],
)
def test_a_route_names_what_it_can_answer(app: FastAPI, method: str, path: str, statuses: str) -> None:
    responses = app.openapi()["paths"][f"/api/v1/things{path}"][method]["responses"]
    assert sorted(responses) == statuses.split()


def test_every_failure_has_the_one_shape(app: FastAPI) -> None:
    document = app.openapi()
    shapes = {
        response["content"]["application/json"]["schema"]["$ref"]
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if status >= "400"
    }
    assert shapes == {"#/components/schemas/ErrorOut"}
    schemas: dict[str, Any] = document["components"]["schemas"]
    assert {"ErrorOut", "ErrorDetail"} <= set(schemas)
    assert "HTTPValidationError" not in schemas
    assert set(schemas["ErrorDetail"]["properties"]) == {"code", "message", "details", "request_id"}


async def test_a_status_that_the_document_does_not_name_is_noticed(app: FastAPI) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.delete("/api/v1/things/silent")).status_code == 409
    assert testing_openapi.take_undocumented() == ["DELETE /things/silent answered 409"]
