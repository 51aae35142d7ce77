"""Pytest plugin: whatever a service answers in any test, its OpenAPI document names that status."""

from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest

from fleet_kit.app import API
from fleet_kit.http_metrics import observe

_UNPROMISED = frozenset({499, 500})
"""Of clients that have left, and of what nobody foresaw."""
_undocumented: set[str] = set()


def pytest_configure() -> None:
    """Listen where requests are counted."""
    pytest.MonkeyPatch().setattr("fleet_kit.middleware.observe", _noting)


@pytest.fixture(autouse=True)
def documented_statuses() -> Iterator[None]:
    """Fails a test during which a service answered with a status that its document does not name."""
    take_undocumented()
    yield
    assert take_undocumented() == [], "see fleet_kit.openapi.raises"


def take_undocumented() -> list[str]:
    """What was answered against the documents since this was asked last."""
    taken = sorted(_undocumented)
    _undocumented.clear()
    return taken


def _noting(scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
    observe(scope, status, seconds)
    path = getattr(scope.get("route"), "path", "")
    operations = scope["app"].openapi().get("paths", {}).get(API + path, {})
    operation = operations.get(scope["method"].lower())
    if operation is not None and str(status) not in operation["responses"] and status not in _UNPROMISED:
        _undocumented.add(f"{scope['method']} {path} answered {status}")
