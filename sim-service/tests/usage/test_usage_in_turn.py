"""Streamed usage is published for organisations in turn, however many SIMs one of them has."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from sim_service.usage.sim_usage.maintenance import UsageMaintenance
from sim_service.usage.sim_usage.repository import due_to_publish

from ..support import Fleet, Organization
from ..test_plans import nodes, plan, queries
from .test_usage_sync import KEPT

STREAMED = """
    INSERT INTO sim_usage (organization_id, iccid, day, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt,
                           recorded_at, tell_at)
    SELECT :owner, (8988280666000000000 + n)::text, current_date, n, 0, 0, 0, now(),
           now() - :age * interval '1 second'
    FROM generate_series(1, :number) n RETURNING 1
"""
DUE = "SELECT organization_id FROM sim_usage WHERE tell_at IS NOT NULL"


async def streamed(fleet: Fleet, owner: Organization, *, number: int, age: int = 0) -> None:
    """A day of so many SIMs that is to be published since `age` seconds."""
    await fleet.rows(STREAMED, owner=owner.id, number=number, age=age)


async def test_usage_does_not_wait_for_a_hundred_thousand_sims_of_another_organisation(fleet: Fleet) -> None:
    """By the planner's own choice without statistics, as on every new day; nothing is looked through."""
    await streamed(fleet, fleet.ours, number=100_000, age=600)
    await streamed(fleet, fleet.theirs, number=1)
    engine: AsyncEngine = fleet.app.state.resources.engine
    with queries(engine) as asked:
        async with fleet.app.state.resources.sessions.begin() as session:
            days = await due_to_publish(session, 500)
    assert fleet.theirs.id in {day.organization_id for day in days}
    assert 250 <= len(days) <= 500
    statement, given = next((one, asked[one]) for one in asked if "owners" in one)
    this_month = f"sim_usage_{datetime.now(UTC):%Y_%m}"
    read = [
        node
        for node in nodes(await plan(engine, statement, given))
        if node.get("Relation Name") == this_month and node["Node Type"] != "ModifyTable"
    ]
    assert {node["Node Type"] for node in read} <= {"Index Scan", "Index Only Scan", "Tid Scan"}
    # The other one is as good for the walk from owner to owner where all rows of the day are due.
    used = {node["Index Name"] for node in read if "Index Name" in node}
    assert used - {f"{this_month}_organization_id_day_idx"} == {f"{this_month}_organization_id_tell_at_idx"}


async def test_all_is_published_once_however_unequal(fleet: Fleet) -> None:
    await streamed(fleet, fleet.ours, number=1200)
    await streamed(fleet, fleet.theirs, number=3)
    await UsageMaintenance(fleet.sessions, kept_days=KEPT).publish_streamed()
    assert not await fleet.rows(DUE)
    published = await fleet.events("sim.usage_recorded")
    assert len(published) == len({(event["organizationid"], event["subject"]) for event in published}) == 1203
    largest = max(published, key=lambda event: event["data"]["data_mo_bytes"])
    assert largest["data"] == {
        "iccid": "8988280666000001200",
        "day": largest["data"]["day"],
        "data_mo_bytes": 1200,
        "data_mt_bytes": 0,
        "sms_mo": 0,
        "sms_mt": 0,
    }
