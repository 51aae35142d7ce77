"""Everybody calls every route, by role and organisation, and gets what `expectations.py` says."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ..conftest import register
from ..sim_support import Carrier
from .expectations import ROUTES
from .objects import furnish
from .route import Least, Route
from .world import Actor, World

pytestmark = [pytest.mark.fleet, pytest.mark.attack]
SERVICES = ("signing", "device", "sim", "monitoring")
ADDRESS = re.compile(r"(^|_)(url|uri|host|endpoint|webhook|callback)s?$", re.IGNORECASE)
ALLOWED = 0
"""Expected instead of a status: done, or in conflict with what is there already."""


@pytest.fixture(scope="module")
async def world(fleet: dict[str, Any]) -> AsyncIterator[World]:
    base = f"{fleet['gateway_url']}/api/v1"
    async with (
        httpx.AsyncClient(base_url=base, timeout=60) as http,
        httpx.AsyncClient(base_url=fleet["sandbox_url"], timeout=60) as sandbox,
    ):
        made = World(fleet, http, await register(fleet, http))
        await made.enter()
        await furnish(made, Carrier(sandbox))
        yield made


def expected(route: Route, actor: Actor) -> int:
    """The status, or ALLOWED."""
    if route.least is Least.PUBLIC:
        return ALLOWED
    if route.least is Least.CARRIER:
        return ALLOWED if actor.name == "the carrier" else 401
    if actor.device and route.device:
        return ALLOWED if actor.name == "the device" else 404
    if actor.level is None:
        return ALLOWED if route.repeated and actor.name == "somebody who has logged out" else 401
    if route.owned and actor.foreign:
        return 404
    return ALLOWED if actor.level >= route.least else 403


@pytest.fixture(scope="module")
async def documents(fleet: dict[str, Any]) -> list[dict[str, Any]]:
    """The OpenAPI document of every service."""
    async with httpx.AsyncClient(base_url=f"{fleet['gateway_url']}/api/v1", timeout=60) as http:
        return [(await http.get(f"/{service}/openapi.json")).json() for service in SERVICES]


def test_every_route_has_an_expectation_and_every_expectation_a_route(
    documents: list[dict[str, Any]],
) -> None:
    found = {
        (method.upper(), path.removeprefix("/api/v1"))
        for document in documents
        for path, methods in document["paths"].items()
        for method in methods
    }
    assert found == {(route.method, route.path) for route in ROUTES if not route.hidden}


def test_no_body_takes_an_address_to_call(documents: list[dict[str, Any]]) -> None:
    """What a service is told to call, an attacker can point at the inside of the network."""
    fields = {
        name
        for document in documents
        for schema in document["components"]["schemas"].values()
        for name, value in schema.get("properties", {}).items()
        if ADDRESS.search(name) or value.get("format") in {"uri", "url"}
    }
    assert fields == set()


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_everybody_gets_what_is_theirs_and_nothing_else(world: World, route: Route) -> None:
    """Who is refused calls first, with the objects that the first allowed one uses up."""
    strangers = route.least is Least.PUBLIC
    actors = [world.actor("stranger")] if strangers else world.actors
    names = await world.names(route, actors[0])
    wrong, allowed = [], [actor for actor in actors if expected(route, actor) == ALLOWED]
    for actor in actors:
        if actor not in allowed:
            answer = await world.call(route, actor, names)
            if answer.status_code != expected(route, actor) or "error" not in answer.json():
                wrong.append(f"{actor.name}: {expected(route, actor)}, not {_said(answer)}")
    for number, actor in enumerate(allowed):
        mine = await world.names(route, actor) if number and route.fresh else names
        answer = await world.call(route, actor, mine)
        if not (answer.is_success or answer.status_code == 409):
            wrong.append(f"{actor.name}: allowed, not {_said(answer)}")
        if actor.foreign:
            wrong += [f"{actor.name} sees {name}" for name in _seen(world, answer)]
    assert wrong == []


def _said(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:300]}"


def _seen(world: World, answer: httpx.Response) -> list[str]:
    """Names of A's objects whose ids stand in what B was answered."""
    return [name for name, value in world.objects.items() if value in answer.text]
