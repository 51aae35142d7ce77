"""Whatever stands in a parameter or a field of any route: never a failure of the service."""

from fastapi import FastAPI

from fleet_kit.testing_input import failures, hostile_requests
from fleet_kit.testing_openapi import misnamed_fields

from .conftest import Organization


async def test_no_value_in_any_place_of_any_route_makes_the_service_fail(
    app: FastAPI, organization: Organization
) -> None:
    device = await organization.make_device()
    requests = hostile_requests(app.openapi(), {"device_id": device["id"]})
    assert [failure async for failure in failures(organization.admin, requests)] == []


def test_the_document_names_the_fields_that_are_sent(app: FastAPI) -> None:
    assert misnamed_fields(app) == {}
