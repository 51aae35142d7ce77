"""The catalogue of products."""

from sim_service.work.jobs.models import JobKind

from ..support import Fleet


async def test_the_catalogue_is_shown_with_its_age(fleet: Fleet) -> None:
    page = (await fleet.ours.viewer.get("/products")).json()
    assert [row["id"] for row in page["items"]] == [1001, 1002, 1003, 1010, 2001]
    assert (page["items"][0]["price"], page["items"][0]["currency"]) == ("10.00", "EUR")
    assert (page["stale"], page["total"]) == (False, 5)
    await fleet.ours.viewer.get("/products")
    assert fleet.sandbox.called("/v1/products") == 1
    fleet.app.state.settings = fleet.settings.model_copy(update={"product_fresh_seconds": 0})
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    stale = (await fleet.ours.viewer.get("/products")).json()
    assert (stale["stale_reason"], stale["total"]) == ("CARRIER_OPERATION_UNAVAILABLE", 5)
    await fleet.request(JobKind.SYNC_PRODUCTS)
    assert await fleet.runner().once()
    (job,) = (await fleet.platform.get("/jobs?kind=sync_products")).json()["items"]
    assert job["state"] == "failed"
    assert "CARRIER_OPERATION_UNAVAILABLE" in job["error"]
