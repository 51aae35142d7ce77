"""Whatever stands in a parameter or a field of any route: never a failure of the service."""

from collections.abc import Callable
from typing import Any

import httpx
from fastapi import FastAPI

from fleet_kit.testing_input import failures, hostile_requests
from fleet_kit.testing_openapi import misnamed_fields


async def test_no_value_in_any_place_of_any_route_makes_the_service_fail(
    app: FastAPI, register: Callable[..., Any], platform_admin: Any
) -> None:
    account = await register()
    names = {"user_id": account.user["id"], "organization_id": account.user["organization_id"]}
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=platform_admin.headers
    ) as client:
        requests = hostile_requests(app.openapi(), names)
        assert [failure async for failure in failures(client, requests)] == []


def test_the_document_names_the_fields_that_are_sent(app: FastAPI) -> None:
    assert misnamed_fields(app) == {}
