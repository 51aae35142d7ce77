"""The read cache takes a fixed part of Redis, whatever is asked, and is not believed when that is full."""

from uuid import uuid4

import pytest
from redis.asyncio import Redis

from fleet_infra.testing import fill_redis
from fleet_kit.pagination import encode_cursor
from fleet_kit.redis_client import open_redis
from fleet_kit.schemas import ResponseModel
from fleet_kit.scope import Scope
from sim_service.platform.cache.service import CACHE_BOUNDS, CachedQuery, CachedRead, ReadCache
from sim_service.platform.cache.store import CacheStore

from ..support import Fleet
from .cache_support import TTL


class Shown(ResponseModel):
    text: str


def question(text: str, *, query: str = "", scope: Scope) -> CachedQuery[Shown]:
    async def load() -> Shown:
        return Shown(text=text)

    return CachedQuery(CachedRead.SIM_LIST, scope, query, Shown, load, ["lists"])


async def stored(redis: Redis) -> int:
    return len(await redis.keys("sim-cache:*"))


async def test_an_organisation_has_its_share_of_the_cache_however_much_it_asks(redis: Redis) -> None:
    cache, bounds, before = (
        ReadCache(CacheStore(redis), TTL),
        CACHE_BOUNDS[CachedRead.SIM_LIST],
        await stored(redis),
    )
    scope = Scope(uuid4())
    for number in range(4 * bounds.of_one):
        await cache.get(question("one", query=str(number), scope=scope))
    assert await stored(redis) - before <= bounds.of_one
    for number in range(4 * bounds.slots):
        await cache.get(question("many", query=str(number), scope=Scope(uuid4())))
    assert await stored(redis) - before <= bounds.slots


async def test_an_answer_that_is_too_large_is_not_stored(redis: Redis) -> None:
    cache, before, scope = ReadCache(CacheStore(redis), TTL), await stored(redis), Scope(uuid4())
    large = "x" * CACHE_BOUNDS[CachedRead.SIM_LIST].most_bytes
    assert (await cache.get(question(large, scope=scope))).text == large
    assert await stored(redis) == before


@pytest.mark.parametrize(
    "query", [{"search": "8988"}, {"page": "2"}, {"cursor": encode_cursor(["iccid", "8988"])}]
)
async def test_pages_that_are_hardly_asked_for_again_are_not_stored(
    fleet: Fleet, cache: ReadCache, redis: Redis, query: dict[str, str]
) -> None:
    before = await stored(redis)
    assert (await fleet.ours.viewer.get("/sims", params=query)).status_code == 200
    assert await stored(redis) == before


async def test_reading_sims_that_do_not_exist_leaves_nothing_in_redis(
    fleet: Fleet, cache: ReadCache, redis: Redis
) -> None:
    before = await stored(redis)
    for number in range(20):
        path = f"/sims/{8_988_280_999_000_000_000 + number}"
        for below in ("", "/usage", "/quotas"):
            assert (await fleet.ours.viewer.get(path + below)).status_code == 404
    assert await stored(redis) == before


async def test_a_full_redis_is_not_believed_since_changes_cannot_be_told_to_it(own_redis_url: str) -> None:
    redis, scope = open_redis(own_redis_url), Scope(uuid4())
    changing, other = CacheStore(redis), ReadCache(CacheStore(redis), TTL)
    assert (await other.get(question("before", scope=scope))).text == "before"
    fill_redis(own_redis_url)
    await changing.invalidate(["lists"])
    assert (await other.get(question("after", scope=scope))).text == "after"
    assert changing._retry is not None
    changing._retry.cancel()
    await redis.aclose()
