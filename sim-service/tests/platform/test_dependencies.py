"""What endpoints depend on."""

from collections.abc import Iterator
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.security.base import SecurityBase

from sim_service.main import ROUTERS


def called_by(dependant: Dependant) -> Iterator[Any]:
    yield dependant.call
    for one in dependant.dependencies:
        yield from called_by(one)


def test_no_request_is_handed_to_a_thread() -> None:
    """The framework calls in a thread what is no coroutine, which costs more than what is done there."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    called = {call for route in routes for call in called_by(route.dependant)}
    assert len(routes) > 100
    in_threads = {
        getattr(call, "__qualname__", repr(call))
        for call in called
        if not (iscoroutinefunction(call) or isasyncgenfunction(call) or isinstance(call, SecurityBase))
    }
    assert in_threads == set()
