"""Row streamer: posts of 3,000 usage records, ten a second, a third of them repetitions."""

import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import orjson

from bench.access import Fleet, Row

SIMS = 10_000
RECORDS = 3_000
A_SECOND = 10
POSTS = 200
BURST = 40
"""Further posts, sent as fast as four connections take them."""
REACH_SECONDS = 1.0
_FIRST_ICCID = 8_988_280_999_000_000_000
_FIRST_ID = 10**12
_COPIED_AT_ONCE = 2_000
"""Rows of one bare COPY: as many as a post brings that are new."""

Database: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def run(fleet: Fleet) -> Row:
    """The platform behind its gateway, then bare COPY of the rows that it stored."""
    with tempfile.TemporaryDirectory() as folder:
        bodies, unique = _bodies(Path(folder))
        return asyncio.run(_measured(fleet, bodies, unique))


async def _measured(fleet: Fleet, bodies: Sequence[Path], unique: int) -> Row:
    database = await asyncpg.connect(fleet.access["databases"]["sim"])
    try:
        await _make_sims(database)
        login = (fleet.access["push_username"], fleet.access["push_password"])
        url = f"{fleet.api}/sim/push/streamer"
        async with httpx.AsyncClient(auth=login, timeout=60, trust_env=False) as http:
            seconds = sorted(await _paced(http, url, bodies[:POSTS]))
            rate = await _burst(http, url, bodies[POSTS:])
        await _check(database, unique)
        raw = await _bare_copy(database)
    finally:
        await _tidy(database)
        await database.close()
    p99 = seconds[int(len(seconds) * 0.99)]
    figure = f"p99 {p99:.2f} s, p50 {seconds[len(seconds) // 2]:.2f} s, at most {rate:,.0f} records/s"
    reach = f"p99 under {REACH_SECONDS:g} s at {A_SECOND * RECORDS:,} records/s"
    return Row("streamer", figure, f"COPY {raw:,.0f} rows/s", f"{rate / raw:.2f}", reach, p99 < REACH_SECONDS)


async def _paced(http: httpx.AsyncClient, url: str, bodies: Sequence[Path]) -> list[float]:
    """Seconds until each answer; each post leaves at its time, whatever became of those before."""
    posts: list[asyncio.Task[float]] = []
    start = time.perf_counter()
    for number, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, start + number / A_SECOND - time.perf_counter()))
        posts.append(asyncio.create_task(_post(http, url, body)))
    return await asyncio.gather(*posts)


async def _burst(http: httpx.AsyncClient, url: str, bodies: Sequence[Path]) -> float:
    """Records a second when nothing waits for a clock."""
    waiting = iter(bodies)

    async def follow() -> None:
        for body in waiting:
            await _post(http, url, body)

    start = time.perf_counter()
    await asyncio.gather(*(follow() for _ in range(4)))
    return len(bodies) * RECORDS / (time.perf_counter() - start)


async def _post(http: httpx.AsyncClient, url: str, body: Path) -> float:
    content = body.read_bytes()
    start = time.perf_counter()
    answer = await http.post(url, content=content)
    while answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:  # the carrier would repeat it, too
        await asyncio.sleep(1)
        answer = await http.post(url, content=content)
    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.json()["usage"] == RECORDS, answer.text
    return time.perf_counter() - start


async def _check(database: Database, unique: int) -> None:
    """Every record is stored once, and the sums are those of what is stored."""
    sums = "count(*), sum(data_mo_bytes + data_mt_bytes)"
    ours = f"iccid >= '{_FIRST_ICCID}' AND iccid < '{_FIRST_ICCID + SIMS}'"
    stored, volume = await database.fetchrow(f"SELECT {sums} FROM stream_records WHERE {ours}")
    assert stored == unique, f"{stored} records are stored, {unique} were sent"
    for table in ("sim_usage_hours", "sim_usage"):
        _, kept = await database.fetchrow(f"SELECT {sums} FROM {table} WHERE {ours}")
        assert kept == volume, f"{table} has {kept} bytes, the records {volume}"


async def _bare_copy(database: Database) -> float:
    """Rows a second of COPY alone, into a table of the same form with the same key."""
    rows = await database.fetch("SELECT * FROM stream_records")
    await database.execute("CREATE TABLE bench_copy (LIKE stream_records INCLUDING INDEXES)")
    seconds = 0.0
    for start in range(0, len(rows), _COPIED_AT_ONCE):
        part = [tuple(row) for row in rows[start : start + _COPIED_AT_ONCE]]
        began = time.perf_counter()
        await database.copy_records_to_table("bench_copy", records=part)
        seconds += time.perf_counter() - began
    return len(rows) / seconds


async def _make_sims(database: Database) -> None:
    """SIMs of five organisations; the sandbox need not know them."""
    owners = [uuid4() for _ in range(5)]
    rows = [
        (str(_FIRST_ICCID + number), "bench", owners[number % len(owners)], "enabled")
        for number in range(SIMS)
    ]
    columns = ["iccid", "carrier", "organization_id", "status"]
    await database.copy_records_to_table("sims", records=rows, columns=columns)


async def _tidy(database: Database) -> None:
    await database.execute("DROP TABLE IF EXISTS bench_copy")
    await database.execute("DELETE FROM sims WHERE carrier = 'bench'")


def _bodies(folder: Path) -> tuple[list[Path], int]:
    """The posts in files, and how many different records are in them."""
    chance, now = random.Random(1), datetime.now(UTC)
    made: list[bytes] = []
    files: list[Path] = []
    for post in range(POSTS + BURST):
        batch = []
        for place in range(RECORDS):
            if made and place % 3 == 0:
                batch.append(chance.choice(made))
            else:
                made.append(_record(chance, now, len(made)))
                batch.append(made[-1])
        files.append(folder / f"{post}.json")
        files[-1].write_bytes(b"[" + b",".join(batch) + b"]")
    return files, len(made)


def _record(chance: random.Random, now: datetime, number: int) -> bytes:
    """A nested record as the carrier writes it; sent in the last hour."""
    place = chance.randrange(SIMS)
    iccid, end = str(_FIRST_ICCID + place), now - timedelta(seconds=chance.randrange(3600))
    sent, received = chance.randrange(1_000, 500_000) / 2**20, chance.randrange(1_000, 100_000) / 2**20
    record: dict[str, Any] = {
        "id": _FIRST_ID + number,
        "imsi": f"9014051{place:08d}",
        "start_timestamp": _stamp(end - timedelta(minutes=15)),
        "end_timestamp": _stamp(end),
        "organisation": {"id": 1},
        "sim": {"id": place, "iccid": iccid, "msisdn": f"88228510{place:07d}"},
        "endpoint": {"id": place, "name": iccid, "ip_address": "10.64.0.1", "imei": "3512345678901234"},
        "operator": {
            "id": 4,
            "name": "Operator",
            "mnc": "01",
            "country": {"id": 74, "mcc": "262", "name": "Germany"},
        },
        "traffic_type": {"id": 5, "description": "Data"},
        "cost": sent + received,
        "volume": {"total": sent + received, "tx": sent, "rx": received},
    }
    return orjson.dumps(record)


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
