"""Whether a service's OpenAPI document says what is sent."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter


def misnamed_fields(app: FastAPI) -> dict[str, set[str]]:
    """Fields that only the document or only the response has, by model; of every response of every route."""
    documented = app.openapi()["components"]["schemas"]
    found: dict[str, set[str]] = {}
    models = [route.response_model for route in routes_of(app) if route.response_model is not None]
    assert models
    for model in models:
        schema = TypeAdapter(model).json_schema(mode="serialization")
        sent = schema.get("$defs", {}) | ({schema["title"]: schema} if "properties" in schema else {})
        for name, part in sent.items():
            fields = set(part.get("properties", ())) ^ set(documented.get(name, part).get("properties", ()))
            if fields:
                found[name] = fields
    return found


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Every route of the API, those of included routers too."""
    found: list[APIRoute] = []
    waiting: list[Any] = [app]
    while waiting:
        for route in waiting.pop().routes:
            if isinstance(route, APIRoute):
                found.append(route)
            elif hasattr(route, "original_router"):  # how FastAPI keeps an included router
                waiting.append(route.original_router)
    return found
