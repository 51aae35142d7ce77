"""Whatever stands in a parameter or a field of any route: never a failure of the service."""

from fleet_kit.testing_input import failures, hostile_requests
from fleet_kit.testing_openapi import misnamed_fields

from .support import Fleet, client_of


async def test_no_value_in_any_place_of_any_route_makes_the_service_fail(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    requests = hostile_requests(fleet.app.openapi(), {"iccid": iccid, "kind": "data"})
    async with client_of(fleet.app, dict(fleet.ours.admin.headers)) as client:
        client.base_url = "http://sim"
        assert [failure async for failure in failures(client, requests)] == []


async def test_the_document_names_the_fields_that_are_sent(fleet: Fleet) -> None:
    assert misnamed_fields(fleet.app) == {}
