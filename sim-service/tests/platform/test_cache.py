"""The read cache: fast, by organisation, never older than a change, and not needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from fleet_kit.errors import NotFound
from fleet_kit.redis_client import open_redis
from fleet_kit.schemas import ResponseModel
from fleet_kit.scope import EVERYTHING, Scope
from fleet_kit.testing import eventually
from sim_service.platform.cache.service import CachedQuery, CachedRead, ReadCache
from sim_service.platform.cache.store import CacheStore

from ..conftest import free_port
from ..support import Fleet
from .cache_support import TTL, reads

TAG = "sim:8988280666000000000"


class Shown(ResponseModel):
    text: str
    age_seconds: float = 0.0


def question(
    load: Callable[[], Awaitable[Shown]], *, query: str = "", scope: Scope = EVERYTHING
) -> CachedQuery[Shown]:
    return CachedQuery(CachedRead.SIM, scope, query, Shown, load, [TAG])


async def test_what_was_read_is_not_read_again_until_it_changes(fleet: Fleet, cache: ReadCache) -> None:
    one, other, _ = await fleet.owned_sims(3)
    paths = [f"/sims/{one}", "/sims", f"/sims/{one}/usage", f"/sims/{one}/quota/data", f"/sims/{one}/quotas"]
    for path in paths:  # the first answers are asked of the carrier and written down
        await fleet.ours.viewer.get(path)
    first = [(await fleet.ours.viewer.get(path)).json() for path in paths]
    hits = {what: reads(what, "hit") for what in CachedRead}
    again = [(await fleet.ours.viewer.get(path)).json() for path in paths]
    assert [reads(what, "hit") - hits[what] for what in CachedRead] == [1, 1, 1, 2]
    for before, after in zip(first, again, strict=True):
        assert without_ages(after) == without_ages(before)
    await fleet.ours.operator.patch(f"/sims/{one}", json={"tags": ["new"]})
    assert (await fleet.ours.viewer.get(f"/sims/{one}")).json()["tags"] == ["new"]
    listed = {sim["iccid"]: sim["tags"] for sim in (await fleet.ours.viewer.get("/sims")).json()["items"]}
    assert (listed[one], listed[other]) == (["new"], [])


def without_ages(body: Any) -> Any:
    if isinstance(body, list):
        return [without_ages(one) for one in body]
    if isinstance(body, dict):
        return {name: without_ages(value) for name, value in body.items() if name != "age_seconds"}
    return body


async def test_what_another_release_has_kept_is_read_anew(redis: Redis) -> None:
    class ShownBefore(ResponseModel):
        age_seconds: float = 0.0

    async def before() -> ShownBefore:
        return ShownBefore()

    async def now() -> Shown:
        return Shown(text="with its text")

    cache = ReadCache(CacheStore(redis), TTL)
    await cache.get(CachedQuery(CachedRead.SIM, EVERYTHING, "", ShownBefore, before, [TAG]))
    misses = reads(CachedRead.SIM, "miss")
    assert [(await cache.get(question(now))).text for _ in range(2)] == ["with its text"] * 2
    assert reads(CachedRead.SIM, "miss") - misses == 1


async def test_ages_go_on_while_an_answer_is_kept(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    path = f"/sims/{iccid}/quota/data"
    await fleet.ours.viewer.get(path)
    first = (await fleet.ours.viewer.get(path)).json()

    async def older() -> bool:
        return bool((await fleet.ours.viewer.get(path)).json()["age_seconds"] > first["age_seconds"] + 0.1)

    before = fleet.sandbox.called("/quota")
    await eventually(older)
    assert fleet.sandbox.called("/quota") == before
    assert (await fleet.ours.viewer.get(path)).json()["as_of"] == first["as_of"]


async def test_nobody_is_shown_another_organisations_answer(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    for path in (f"/sims/{iccid}", f"/sims/{iccid}/usage", f"/sims/{iccid}/quota/data"):
        assert (await fleet.ours.viewer.get(path)).status_code == 200
        assert (await fleet.platform.get(path)).status_code == 200
        assert (await fleet.theirs.viewer.get(path)).status_code == 404
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 1
    assert (await fleet.platform.get("/sims")).json()["total"] == 250
    assert (await fleet.theirs.viewer.get("/sims")).json()["total"] == 0


async def test_a_sim_that_changes_hands_leaves_nothing_behind(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    paths = [f"/sims/{iccid}", f"/sims/{iccid}/usage", f"/sims/{iccid}/quotas"]
    for path in paths:
        assert (await fleet.ours.viewer.get(path)).status_code == 200
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 1
    assert (await fleet.theirs.viewer.get("/sims")).json()["total"] == 0
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    for path in paths:
        assert (await fleet.ours.viewer.get(path)).status_code == 404
        assert (await fleet.theirs.viewer.get(path)).status_code == 200
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 0
    assert (await fleet.theirs.viewer.get("/sims")).json()["total"] == 1


async def test_what_a_job_or_a_sync_changed_is_seen_at_once(fleet: Fleet, cache: ReadCache) -> None:
    one, other = await fleet.owned_sims(2)
    await fleet.ours.viewer.get("/sims")
    for iccid in (one, other):
        await fleet.ours.viewer.get(f"/sims/{iccid}")
    fleet.sandbox.sims()[0].label = "renamed"
    assert (await fleet.sync())["result"]["updated"] == 1
    assert (await fleet.ours.viewer.get(f"/sims/{one}")).json()["label"] == "renamed"
    assert (await fleet.ours.viewer.get("/sims")).json()["items"][0]["label"] == "renamed"
    hits = reads(CachedRead.SIM, "hit")
    await fleet.ours.viewer.get(f"/sims/{other}")
    assert reads(CachedRead.SIM, "hit") == hits + 1, "a SIM that did not change is not read again"


async def test_usage_asked_for_now_replaces_what_was_kept(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.ours.viewer.get(f"/sims/{iccid}/usage")
    forced = (await fleet.ours.operator.post(f"/sims/{iccid}/usage/sync")).json()
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}/usage")).json()["as_of"] == forced["as_of"]


async def test_an_answer_from_a_carrier_that_is_away_is_not_kept(fleet: Fleet, cache: ReadCache) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")
    fleet.app.state.settings = fleet.settings.model_copy(update={"quota_fresh_seconds": 0})
    fleet.app.state.cache = ReadCache(cache._store, TTL | {CachedRead.QUOTA: 0.001})
    fleet.sandbox.broken = 503
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")).json()["stale"] is True
    fleet.sandbox.broken = None
    fleet.app.state.cache = cache
    await fleet.calm_breaker()
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}/quota/data")).json()["stale"] is False


async def test_many_who_want_the_same_cause_one_read(redis: Redis) -> None:
    cache, asked, go_on = ReadCache(CacheStore(redis), TTL), 0, asyncio.Event()

    async def load() -> Shown:
        nonlocal asked
        asked += 1
        await go_on.wait()
        return Shown(text="once")

    before = reads(CachedRead.SIM, "shared")
    callers = [asyncio.create_task(cache.get(question(load))) for _ in range(10)]
    await eventually(lambda: _reached(lambda: reads(CachedRead.SIM, "shared") == before + 9))
    go_on.set()
    answers = await asyncio.gather(*callers)
    assert (asked, {answer.text for answer in answers}) == (1, {"once"})


async def _reached(check: Callable[[], bool]) -> bool:
    return check()


@pytest.mark.parametrize("error", [NotFound("no such SIM"), OSError("the database is unavailable")])
async def test_a_failure_is_shared_and_not_kept(redis: Redis, error: Exception) -> None:
    cache, asked, go_on = ReadCache(CacheStore(redis), TTL), 0, asyncio.Event()

    async def load() -> Shown:
        nonlocal asked
        asked += 1
        await go_on.wait()
        raise error

    before = reads(CachedRead.SIM, "shared")
    callers = [asyncio.create_task(cache.get(question(load))) for _ in range(5)]
    await eventually(lambda: _reached(lambda: reads(CachedRead.SIM, "shared") == before + 4))
    go_on.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert (asked, {type(answer) for answer in answers}) == (1, {type(error)})
    with pytest.raises(type(error)):
        await cache.get(question(load))
    assert asked == 2


async def test_who_waits_does_not_fall_with_who_was_cancelled(redis: Redis) -> None:
    cache, begun = ReadCache(CacheStore(redis), TTL), asyncio.Event()

    async def never() -> Shown:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def load() -> Shown:
        return Shown(text="mine")

    first = asyncio.create_task(cache.get(question(never)))
    await begun.wait()
    second = asyncio.create_task(cache.get(question(load)))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).text == "mine"


async def test_an_answer_read_before_a_change_is_not_given_after_it(redis: Redis) -> None:
    cache, begun, go_on = ReadCache(CacheStore(redis), TTL), asyncio.Event(), asyncio.Event()

    async def before() -> Shown:
        begun.set()
        await go_on.wait()
        return Shown(text="before")

    async def after() -> Shown:
        return Shown(text="after")

    slow = asyncio.create_task(cache.get(question(before)))
    await begun.wait()
    await cache._store.invalidate([TAG])
    go_on.set()
    assert (await slow).text == "before"
    assert (await cache.get(question(after))).text == "after"


async def test_scopes_and_queries_never_share_an_answer(redis: Redis, fleet: Fleet) -> None:
    cache = ReadCache(CacheStore(redis), TTL)

    def load(text: str) -> Callable[[], Awaitable[Shown]]:
        async def shown() -> Shown:
            return Shown(text=text)

        return shown

    wanted = [
        (EVERYTHING, ""),
        (EVERYTHING, "a"),
        (Scope(fleet.ours.id), ""),
        (Scope(fleet.theirs.id), ""),
    ]
    for _ in range(2):
        for number, (scope, query) in enumerate(wanted):
            answer = await cache.get(question(load(str(number)), query=query, scope=scope))
            assert answer.text == str(number)


async def test_without_redis_everything_is_read_and_nothing_breaks(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    away = open_redis(f"redis://127.0.0.1:{free_port()}/0")
    fleet.app.state.cache = ReadCache(CacheStore(away), TTL)
    before = reads(CachedRead.SIM, "off")
    for _ in range(2):
        assert (await fleet.ours.viewer.get(f"/sims/{iccid}")).status_code == 200
    assert reads(CachedRead.SIM, "off") == before + 2
    fleet.app.state.cache = fleet.app.state.resources.cache
    await away.aclose()


async def test_a_change_that_redis_did_not_hear_of_is_told_before_anything_is_believed(redis: Redis) -> None:
    store = CacheStore(redis)
    cache = ReadCache(store, TTL)

    async def old() -> Shown:
        return Shown(text="old")

    async def new() -> Shown:
        return Shown(text="new")

    await cache.get(question(old))
    store._guard._open_until = float("inf")
    await cache._store.invalidate([TAG])
    assert (await cache.get(question(new))).text == "new"
    store._guard.reset()
    assert (await cache.get(question(new))).text == "new"
