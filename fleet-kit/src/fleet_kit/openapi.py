"""The OpenAPI document says with which statuses a route refuses, each in the one error shape.

What a route's signature tells is derived: a body (400, 408, 413, 422), parameters (422), a query (414), an
object in the path (404), a token (401, and 403 where something is changed, by `principal`). The rest a
dependency or an endpoint says of itself with `raises`. Every route can answer 429 and 503.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from fleet_kit.errors import FleetError

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__raises__"
_SCHEMAS = "#/components/schemas/"
_OF_FASTAPI = ("HTTPValidationError", "ValidationError")
DESCRIPTIONS = {
    400: "The request cannot be read.",
    401: "No valid credential was sent.",
    403: "The caller's role does not allow it.",
    404: "There is no such object, or it belongs to another organisation.",
    408: "The body did not come in time.",
    409: "It clashes with the present state.",
    412: "The version that If-Match names is not the present one.",
    413: "The body is too large.",
    414: "The address with its query is too long.",
    422: "A value is not acceptable; `details.fields` names it.",
    429: "Too many requests; `Retry-After` says when to come again.",
    501: "The carrier does not offer this (any more).",
    502: "The carrier answered with something that cannot be read.",
    503: "Something that this needs is unavailable; `Retry-After` says when to come again.",
}


class ErrorDetail(BaseModel):
    """`code` is for programs, `message` for people; `request_id` is in the logs, too."""

    code: str
    message: str
    details: dict[str, Any]
    request_id: str


class ErrorOut(BaseModel):
    """The body of every failure."""

    error: ErrorDetail


def raises(*errors: type[FleetError], when_changing: type[FleetError] | None = None) -> Callable[[F], F]:
    """Says of a dependency or an endpoint with which errors it refuses, where its signature does not.

    `when_changing`: one more for every method but GET.
    """

    def mark(function: F) -> F:
        setattr(function, _MARK, (errors, when_changing))
        return function

    return mark


def describe_errors(app: FastAPI, routers: Sequence[APIRouter], prefix: str) -> None:
    """Let the application's document name them; `routers` are under `prefix`."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _describe(original(), routers, prefix)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe(document: dict[str, Any], routers: Sequence[APIRouter], prefix: str) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in _OF_FASTAPI:
        schemas.pop(name, None)
    for model in (ErrorOut, ErrorDetail):
        schema = model.model_json_schema(ref_template=_SCHEMAS + "{model}")
        schemas[model.__name__] = {key: value for key, value in schema.items() if key != "$defs"}
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                for method in route.methods or ():
                    operation = document["paths"][prefix + route.path][method.lower()]
                    operation["responses"] |= _responses(_statuses(route, method, operation))


def _responses(statuses: set[int]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{ErrorOut.__name__}"}}}
    return {
        str(status): {"description": DESCRIPTIONS[status], "content": content} for status in sorted(statuses)
    }


def _statuses(route: APIRoute, method: str, operation: dict[str, Any]) -> set[int]:
    found = {429, 503}
    for call in _calls(route.dependant):
        errors, when_changing = getattr(call, _MARK, ((), None))
        found |= {error.status for error in errors}
        if when_changing is not None and method != "GET":
            found.add(when_changing.status)
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    if "requestBody" in operation:
        found |= {400, 408, 413, 422}
    if places:
        found.add(422)
    if "path" in places:
        found.add(404)
    if "query" in places:
        found.add(414)
    return found


def _calls(dependant: Dependant) -> Iterator[Any]:
    """The endpoint and everything that it depends on."""
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)
