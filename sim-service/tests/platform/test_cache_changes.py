"""What the read cache is told of a transaction, and how long answers live."""

from datetime import UTC, datetime

from sim_service.inventory.sims.cache_tags import usage_tags
from sim_service.platform.cache.invalidation import invalidate
from sim_service.platform.cache.service import CachedRead, ReadCache
from sim_service.platform.cache.store import MAX_TAGS
from sim_service.settings import CacheSettings
from sim_service.usage.sim_usage.maintenance import TABLES, UsageMaintenance
from sim_service.wiring import cache_ttl

from ..push_support import pushed, record
from ..support import Fleet
from .cache_support import reads

KEPT_DAYS = {table.table: 1000 for table in TABLES}


async def test_a_transaction_that_changed_very_much_outdates_every_answer(
    fleet: Fleet, cache: ReadCache
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    sessions = fleet.app.state.resources.sessions
    for tags, hit in ([f"other:{number}" for number in range(9)], 1), (map(str, range(MAX_TAGS + 1)), 0):
        await fleet.ours.viewer.get(f"/sims/{iccid}")
        async with sessions.begin() as session:
            await session.connection()
            invalidate(session, *tags)
        hits = reads(CachedRead.SIM, "hit")
        await fleet.ours.viewer.get(f"/sims/{iccid}")
        assert reads(CachedRead.SIM, "hit") - hits == hit


async def test_usage_of_many_sims_outdates_usage_and_nothing_else(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    many = usage_tags([str(number) for number in range(MAX_TAGS + 1)])
    for path, what, hit in (
        (f"/sims/{iccid}", CachedRead.SIM, 1),
        (f"/sims/{iccid}/usage", CachedRead.USAGE, 0),
    ):
        await fleet.ours.viewer.get(path)
        async with fleet.app.state.resources.sessions.begin() as session:
            await session.connection()
            invalidate(session, *many)
        hits = reads(what, "hit")
        await fleet.ours.viewer.get(path)
        assert reads(what, "hit") - hits == hit


async def test_what_is_rolled_back_outdates_nothing(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.ours.viewer.get(f"/sims/{iccid}")
    async with fleet.app.state.resources.sessions() as session:
        await session.connection()
        invalidate(session, f"sim:{iccid}")
        await session.rollback()
        await session.connection()
        await session.commit()
    hits = reads(CachedRead.SIM, "hit")
    await fleet.ours.viewer.get(f"/sims/{iccid}")
    assert reads(CachedRead.SIM, "hit") - hits == 1


def test_the_lifetimes_are_those_that_were_promised() -> None:
    promised = {CachedRead.SIM_LIST: 300, CachedRead.SIM: 120, CachedRead.USAGE: 600, CachedRead.QUOTA: 60}
    assert cache_ttl(CacheSettings()) == promised


async def test_a_savepoint_outdates_nothing_before_the_commit(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.ours.viewer.get(f"/sims/{iccid}")
    async with fleet.app.state.resources.sessions() as session:
        async with session.begin_nested():
            await session.connection()
            invalidate(session, f"sim:{iccid}")
        hits = reads(CachedRead.SIM, "hit")
        await fleet.ours.viewer.get(f"/sims/{iccid}")
        assert reads(CachedRead.SIM, "hit") - hits == 1
        await session.commit()
    await fleet.ours.viewer.get(f"/sims/{iccid}")
    assert reads(CachedRead.SIM, "hit") - hits == 1


async def test_usage_that_is_given_to_its_owner_later_outdates_answers(
    fleet: Fleet, cache: ReadCache
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await pushed(fleet, record(fleet, iccid, at=datetime.now(UTC), sent=7))
    await fleet.rows("UPDATE stream_records SET organization_id = NULL RETURNING iccid")
    await fleet.ours.viewer.get(f"/sims/{iccid}/usage")
    await UsageMaintenance(fleet.app.state.resources.sessions, kept_days=KEPT_DAYS).run()
    hits = reads(CachedRead.USAGE, "hit")
    await fleet.ours.viewer.get(f"/sims/{iccid}/usage")
    assert reads(CachedRead.USAGE, "hit") == hits
