"""What is made of the answers of `/health`."""

from typing import Any

import httpx
import pytest

from fleet_infra.health import WORKING, ask

FULL = {"status": "degraded", "checks": {"redis": "ok", "consumer": "degraded: dead letters were dropped"}}


@pytest.mark.parametrize(
    ("status", "body", "told", "works"),
    [
        (200, {"status": "ok", "checks": {"redis": "ok"}}, "ok", True),
        (200, FULL, "degraded (consumer: degraded: dead letters were dropped)", True),
        (503, {"status": "unavailable"}, '503 {"status":"unavailable"}', False),
    ],
)
def test_a_degraded_process_works_and_its_reason_is_told(
    status: int, body: dict[str, Any], told: str, works: bool
) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    with httpx.Client(transport=transport) as client:
        answer = ask(client, "http://fleet/health")
    assert answer == told
    assert answer.startswith(WORKING) is works
