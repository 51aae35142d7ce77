from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID, uuid4

import httpx
import pytest
from asgi_lifespan import LifespanManager
from fastapi import APIRouter, FastAPI
from pydantic import Field, model_validator

from fleet_kit.app import create_app
from fleet_kit.errors import Conflict, NotFound, TooManyRequests, Unprocessable, invalid
from fleet_kit.logging import redact
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging, decode_cursor, encode_cursor
from fleet_kit.principal import CurrentAdmin, CurrentUser, PlatformAdmin, Role
from fleet_kit.schemas import StrictModel, Text, Timestamp
from fleet_kit.settings import ServiceSettings
from fleet_kit.testing import TokenFactory

router = APIRouter()
TOKENS = TokenFactory()


class Size(StrEnum):
    SMALL = "small"


class Thing(StrictModel):
    name: Text
    weight: Annotated[float, Field(gt=0)] = 1
    at: Timestamp | None = None
    label: Annotated[Text, Field(min_length=1, max_length=3)] = "a"
    parts: Annotated[list[str], Field(max_length=1)] = Field([])
    size: Literal[Size.SMALL] | None = None


@router.post("/things", status_code=201)
async def create(thing: Thing) -> Thing:
    return thing


@router.get("/things/{number}")
@raises(Conflict)
async def read(number: int) -> Thing:
    if number == 500:
        raise ZeroDivisionError
    if number == 503:
        raise ConnectionRefusedError
    raise {
        404: NotFound("no such thing"),
        409: Conflict("taken", code="NAME_TAKEN"),
        429: TooManyRequests("slow"),
    }[number]


@router.get("/me")
async def me(user: CurrentUser) -> dict[str, UUID]:
    return {"organization_id": user.organization_id}


@router.get("/admins")
async def admins(user: CurrentAdmin) -> None: ...


@router.get("/platform")
async def platform(user: PlatformAdmin) -> None: ...


@router.get("/pages")
async def pages(paging: Paging) -> Page[int]:
    position = paging.position(1)
    start = position[0] if position else paging.offset
    return Page(items=[start], page_size=paging.page_size, next_cursor=encode_cursor([start + 1]))


class Circle(StrictModel):
    radius: float


class Round(StrictModel):
    kind: Literal["round"]
    size: Circle
    holes: list[Circle] = Field([])


class Square(StrictModel):
    kind: Literal["square"]
    side: float

    @model_validator(mode="after")
    def _has_a_side(self) -> "Square":
        if self.side == 0:
            raise ValueError("a square has a side")
        return self


@router.post("/shapes")
async def shapes(body: Annotated[Round | Square, Field(discriminator="kind")]) -> None: ...


@router.get("/fields")
@raises(Unprocessable)
async def fields() -> None:
    raise invalid("interval", "must be positive")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.verifier = TOKENS.verifier()
    yield


async def well() -> None: ...


async def unwell() -> None:
    raise ConnectionError


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    settings = ServiceSettings(amqp_url="amqp://x:y@z/", redis_url="redis://x")
    app = create_app(
        service="test",
        settings=settings,
        routers=[router],
        lifespan=lifespan,
        checks=lambda _: {"good": well, "bad": unwell},
    )
    async with LifespanManager(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b'{"name": "a", "extra": 1}', 422, "VALIDATION_FAILED", "extra"),
        (b'{"name": 5}', 422, "VALIDATION_FAILED", "name"),
        (b"{}", 422, "VALIDATION_FAILED", "name"),
        (b'{"name": "a", "weight": 0}', 422, "VALIDATION_FAILED", "weight"),
        (b'{"name": "a", "weight": NaN}', 422, "VALIDATION_FAILED", "weight"),
        (b'{"name": "a\\u0000"}', 422, "VALIDATION_FAILED", "name"),
        (b'{"name": "a", "at": "2026-01-01T00:00:00"}', 422, "VALIDATION_FAILED", "at"),
        (b"{", 400, "MALFORMED_JSON", None),
        (b"\xff\xfe", 400, "MALFORMED_JSON", None),
        (b"[" * 100_000, 400, "MALFORMED_JSON", None),
        (b"", 422, "VALIDATION_FAILED", ""),
        (b"x" * (1024 * 1024 + 1), 413, "PAYLOAD_TOO_LARGE", None),
    ],
)
async def test_bad_input_gets_the_one_error_shape_naming_the_field(
    client: httpx.AsyncClient, body: bytes, status: int, code: str, field: str | None
) -> None:
    response = await client.post("/api/v1/things", content=body, headers={"X-Request-ID": "abc"})
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["request_id"]) == (status, code, "abc")
    if field is not None:
        assert error["details"]["fields"][0]["field"] == field


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "round", "size": {"radius": "x"}}, "size.radius"),
        ({"kind": "round", "size": {}}, "size.radius"),
        ({"kind": "round"}, "size"),
        (
            {"kind": "round", "size": {"radius": 1}, "holes": [{"radius": 1}, {"kind": "size"}]},
            "holes.1.radius",
        ),
        ({"kind": "square", "side": "kind"}, "side"),
        ({"kind": "square", "side": 0}, ""),
        ({"kind": "side"}, ""),
    ],
)
async def test_what_is_wrong_in_one_of_several_shapes_is_named_as_it_was_sent(
    client: httpx.AsyncClient, body: object, field: str
) -> None:
    response = await client.post("/api/v1/shapes", json=body)
    assert response.status_code == 422
    assert response.json()["error"]["details"]["fields"][0]["field"] == field


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("label", "", "must have at least 1 character, not 0"),
        ("label", "abcd", "must have at most 3 characters, not 4"),
        ("parts", ["a", "b"], "List should have at most 1 item after validation, not 2"),
        ("size", "large", "Input should be 'small'"),
    ],
)
async def test_what_is_wrong_with_a_value_is_said_without_words_of_the_framework(
    client: httpx.AsyncClient, field: str, value: object, words: str
) -> None:
    response = await client.post("/api/v1/things", json={"name": "a", field: value})
    assert response.json()["error"]["details"]["fields"] == [{"field": field, "message": words}]


async def test_a_body_that_grows_while_it_is_sent_is_cut_at_the_limit(client: httpx.AsyncClient) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100_000

    response = await client.post("/api/v1/things", content=chunks())
    assert (response.status_code, response.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("number", "code"),
    [(404, "NOT_FOUND"), (409, "NAME_TAKEN"), (429, "RATE_LIMITED"), (500, "INTERNAL"), (503, "UNAVAILABLE")],
)
async def test_every_failure_has_its_status_and_code(
    client: httpx.AsyncClient, number: int, code: str
) -> None:
    response = await client.get(f"/api/v1/things/{number}")
    assert (response.status_code, response.json()["error"]["code"]) == (number, code)
    assert ("retry-after" in response.headers) == (number in {429, 503})
    assert response.headers["x-request-id"] == response.json()["error"]["request_id"]


async def test_a_request_id_that_is_not_sane_is_replaced(client: httpx.AsyncClient) -> None:
    response = await client.get("/api/v1/fields", headers={"X-Request-ID": 'x" onload="'})
    assert response.headers["x-request-id"].isalnum()
    assert response.json()["error"]["details"]["fields"][0]["field"] == "interval"


async def test_unknown_paths_and_methods_have_the_shape_too(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/nothing")).json()["error"]["code"] == "NOT_FOUND"
    assert (await client.delete("/api/v1/things")).json()["error"]["code"] == "METHOD_NOT_ALLOWED"


async def test_roles_are_asked_for_where_the_signature_says_so(client: httpx.AsyncClient) -> None:
    organization = uuid4()
    assert (await client.get("/api/v1/me")).status_code == 401
    assert (await client.get("/api/v1/me", headers={"Authorization": "Basic x"})).status_code == 401
    mine = await client.get("/api/v1/me", headers=TOKENS.headers(organization, Role.VIEWER))
    assert mine.json() == {"organization_id": str(organization)}
    assert (await client.get("/api/v1/admins", headers=TOKENS.headers(role=Role.OPERATOR))).status_code == 403
    assert (await client.get("/api/v1/admins", headers=TOKENS.headers(role=Role.ADMIN))).status_code == 200
    assert (await client.get("/api/v1/platform", headers=TOKENS.headers())).status_code == 403
    admin = {"Authorization": f"Bearer {TOKENS.token(role=Role.VIEWER, is_admin=True)}"}
    assert (await client.get("/api/v1/platform", headers=admin)).status_code == 200
    assert (await client.get("/api/v1/admins", headers=admin)).status_code == 200


@pytest.mark.parametrize(
    "query",
    ["page=0", "page=x", "page_size=0", "page_size=201", "page=999999999", "cursor=!!!", "cursor=e30"],
)
async def test_impossible_pages_are_refused(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"/api/v1/pages?{query}")
    assert response.status_code == 422
    assert response.json()["error"]["details"]["fields"][0]["field"] == query.partition("=")[0]


async def test_a_cursor_continues_where_the_page_ended(client: httpx.AsyncClient) -> None:
    first = (await client.get("/api/v1/pages?page=2&page_size=10")).json()
    second = (await client.get(f"/api/v1/pages?cursor={first['next_cursor']}")).json()
    assert (first["items"], second["items"]) == ([10], [11])
    assert decode_cursor(encode_cursor(["a", 1]), 2) == ["a", 1]


async def test_health_names_what_is_not_well_and_metrics_are_served(client: httpx.AsyncClient) -> None:
    response = await client.get("/health")
    assert (response.status_code, response.json()["checks"]) == (
        503,
        {"good": "ok", "bad": "ConnectionError"},
    )
    await client.get("/api/v1/fields")
    assert "http_requests_total" in (await client.get("/metrics")).text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8080"])
async def test_a_redirect_leads_to_no_host_that_a_request_names(client: httpx.AsyncClient, host: str) -> None:
    answer = await client.get(
        "/api/v1/me/?a=1", headers={"Host": host, "X-Forwarded-Host": host, "X-Forwarded-Proto": "gopher"}
    )
    assert (answer.status_code, answer.headers["location"]) == (307, "/api/v1/me?a=1")


def test_queries_and_passwords_are_blanked_in_the_log() -> None:
    texts = {
        '127.0.0.1:1 - "WebSocket /ws/monitoring/?EIO=4&token=hush" [accepted]': (
            '127.0.0.1:1 - "WebSocket /ws/monitoring/?***" [accepted]'
        ),
        "cannot reach http://127.0.0.1:8001/a/b?key=hush": "cannot reach http://127.0.0.1:8001/a/b?***",
        "amqp://me:hush@broker/": "amqp://me:***@broker/",
        "is /health well?": "is /health well?",
    }
    for text, blanked in texts.items():
        assert redact(None, "", {"event": text}) == {"event": blanked}
