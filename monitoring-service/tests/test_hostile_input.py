"""Whatever stands in a parameter or a field of any route: never a failure of the service."""

from typing import Any

import httpx

from fleet_kit.testing_input import failures, hostile_requests
from fleet_kit.testing_openapi import misnamed_fields


async def test_no_value_in_any_place_of_any_route_makes_the_service_fail(fleet: Any) -> None:
    device = await fleet.device()
    await fleet.readings(device, 1, 2, 3)
    await fleet.worker.checkpoint.advance()
    transport = httpx.ASGITransport(fleet.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=fleet.tokens.headers(fleet.organization)
    ) as client:
        requests = hostile_requests(fleet.app.openapi(), {"device_id": device})
        assert [failure async for failure in failures(client, requests)] == []


async def test_the_document_names_the_fields_that_are_sent(fleet: Any) -> None:
    assert misnamed_fields(fleet.app) == {}
