"""Row sim-list: pages of an inventory of 100,000 SIMs through the API, beside the same pages by bare SQL."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import httpx

from bench.access import Fleet, Row
from fleet_kit.pagination import encode_cursor

SIMS = 100_000
PAGE_SIZE = 50
LAST_PAGE = SIMS // PAGE_SIZE
ROUNDS = 15
REACH_MS = 50.0
SORTS = ("iccid", "label", "status", "created_at", "updated_at")
FILTERS: tuple[tuple[dict[str, str], str], ...] = (
    ({}, "true"),
    ({"status": "disabled"}, "status = 'disabled'"),
    ({"lifecycle": "enabled"}, "lifecycle = 'enabled'"),
    ({"tag": "north"}, "tags @> '{north}'"),
    ({"quota_state": "low"}, "(data_quota_state = 'low' OR sms_quota_state = 'low')"),
    ({"linked": "false"}, "device_id IS NULL"),
    ({"search": "pump 77"}, "search_text LIKE '%pump 77%'"),
)

_SEED = """
INSERT INTO sims (iccid, carrier, organization_id, status, lifecycle, label, imsi, msisdn, imei, ip_address,
                  tags, data_quota_state, sms_quota_state, created_at, updated_at)
SELECT (8977000000000000000 + n)::text, 'bench', $1::uuid, s.status, s.status, 'pump ' || n,
       (901405100000000 + n)::text, (882285100000000 + n)::text, (8600000000000000 + n * 10)::text,
       '10.' || n / 65536 || '.' || n / 256 % 256 || '.' || n % 256,
       CASE WHEN n % 2 = 0 THEN '{north}'::text[] ELSE '{south}' END,
       CASE WHEN n % 25 = 0 THEN 'low' ELSE 'ok' END, 'ok',
       now() - n * interval '1 second', now() - (n * 7919 % 100000) * interval '1 second'
FROM generate_series(0, $2::int - 1) n,
     LATERAL (SELECT CASE WHEN n % 12 = 0 THEN 'disabled' ELSE 'enabled' END AS status) s
"""


@dataclass(frozen=True)
class Timed:
    """Milliseconds of a page through the API, and by bare SQL."""

    own: float
    raw: float


def run(fleet: Fleet) -> Row:
    """The slowest of all orders and filters: first pages with their totals, and page 2,000 by cursor.

    No request is the same as one before it, so that no answer comes from the service's cache.
    """
    first, last = asyncio.run(_measure(fleet))
    worst = max(first, last, key=lambda page: page.own)
    return Row(
        "sim-list",
        f"page 1 {first.own:.1f} ms, page {LAST_PAGE:,} {last.own:.1f} ms",
        f"{first.raw:.1f} ms, {last.raw:.1f} ms",
        f"{worst.own / worst.raw:.1f}",
        f"both below {REACH_MS:.0f} ms",
        worst.own < REACH_MS,
    )


async def _measure(fleet: Fleet) -> tuple[Timed, Timed]:
    database = await asyncpg.connect(fleet.access["databases"]["sim"])
    try:
        async with httpx.AsyncClient(base_url=fleet.api, headers=fleet.headers, timeout=30) as http:
            owner = UUID((await http.get("/auth/me")).raise_for_status().json()["organization_id"])
            await database.execute(_SEED, owner, SIMS)
            await database.execute("VACUUM ANALYZE sims")
            pages = _Pages(http, database, owner)
            firsts = [await pages.first(sort, *wanted) for sort in SORTS for wanted in FILTERS]
            lasts = [await pages.last(sort) for sort in SORTS]
    finally:
        await database.execute("DELETE FROM sims WHERE carrier = 'bench'")
        await database.close()
    return max(firsts, key=lambda page: page.own), max(lasts, key=lambda page: page.own)


class _Pages:
    def __init__(self, http: httpx.AsyncClient, database: Any, owner: UUID) -> None:
        self._http, self._database, self._owner = http, database, owner

    async def first(self, sort: str, params: dict[str, str], condition: str) -> Timed:
        mine = f"FROM sims WHERE organization_id = $1 AND {condition}"
        page = f"SELECT * {mine} ORDER BY {sort}, iccid LIMIT $2"

        async def bare(size: int) -> None:
            await self._database.fetch(page, self._owner, size + 1)
            await self._database.fetchval(f"SELECT count(*) {mine}", self._owner)

        return Timed(await _median(partial(self._get, {"sort": sort, **params})), await _median(bare))

    async def last(self, sort: str) -> Timed:
        mine = "FROM sims WHERE organization_id = $1"
        place = f"SELECT {sort} AS value, iccid {mine} ORDER BY {sort}, iccid LIMIT 1"
        before = await self._database.fetchrow(f"{place} OFFSET {SIMS - PAGE_SIZE - 1}", self._owner)
        behind = f"({sort}, iccid) > ($2, $3) ORDER BY {sort}, iccid LIMIT $4"
        key = {sort: before["value"], "iccid": before["iccid"]}
        cursor = encode_cursor([sort, *key.values()])

        async def bare(size: int) -> None:
            query = f"SELECT * {mine} AND {behind}"
            assert len(await self._database.fetch(query, self._owner, *before, size + 1)) == PAGE_SIZE

        return Timed(await _median(partial(self._get, {"sort": sort, "cursor": cursor})), await _median(bare))

    async def _get(self, params: dict[str, str], size: int) -> None:
        answer = await self._http.get("/sims", params={"page_size": str(size), **params})
        assert answer.raise_for_status().json()["items"]


async def _median(ask: Callable[[int], Awaitable[None]]) -> float:
    """Milliseconds of the middle one of ROUNDS, after one that does not count; each page is a row longer."""
    await ask(PAGE_SIZE)
    taken = []
    for more in range(1, ROUNDS + 1):
        began = time.perf_counter()
        await ask(PAGE_SIZE + more)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)
