"""No query on usage goes through a table from end to end."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from sim_service.usage.sim_usage.maintenance import UsageMaintenance

from ..push_support import pushed, record
from ..support import Fleet
from .test_comparison import HOUR, reported
from .test_usage import day, fresh_for
from .test_usage_sources import noon
from .test_usage_sync import KEPT, synced

LARGE = "sim_usage|stream_records|stream_rejected|device_usage|organization_usage|sims|sim_releases"
Statement = tuple[str, Any]


@contextmanager
def heard(engine: AsyncEngine) -> Iterator[list[Statement]]:
    """Every statement on a large table that the service sends meanwhile."""
    statements: list[Statement] = []

    def hear(_1: Any, _2: Any, statement: str, parameters: Any, _3: Any, many: bool) -> None:
        if re.search(LARGE, statement) and not statement.lstrip().startswith("CREATE"):
            rows = many and isinstance(parameters[0], tuple)
            statements.append((statement, tuple(parameters[0] if rows else parameters)))

    event.listen(engine.sync_engine, "before_cursor_execute", hear)
    try:
        yield statements
    finally:
        event.remove(engine.sync_engine, "before_cursor_execute", hear)


async def scans(engine: AsyncEngine, statement: Statement) -> list[str]:
    """Tables that a plan goes through from end to end although it would rather not."""
    async with engine.connect() as connection:
        await connection.exec_driver_sql("SET enable_seqscan = off")
        await connection.exec_driver_sql(
            "CREATE TEMPORARY TABLE IF NOT EXISTS incoming_records (id text, iccid text, at timestamptz,"
            " data_mo_bytes bigint, data_mt_bytes bigint, sms_mo integer, sms_mt integer)"
        )
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement[0]}", statement[1])
        plan = "\n".join(rows.scalars())
        await connection.rollback()
    return re.findall(rf"Seq Scan on ((?:{LARGE})\w*)", plan)


async def test_every_query_on_usage_has_an_index(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    device = await fleet.device(iccid=first)
    fresh_for(fleet, 0)
    engine = fleet.app.state.resources.engine
    span = {"from": day(20).isoformat(), "to": day(0).isoformat()}
    with heard(engine) as statements:
        await pushed(fleet, record(fleet, first, at=noon(1), sent=5), record(fleet, second) | {"id": None})
        for path, params in (
            (f"/sims/{first}/usage", span),
            (f"/sims/{first}/usage", {"interval": "hour"}),
            (f"/sims/{first}/usage/comparison", span),
            ("/sims/usage", span),
            ("/sims/usage", span | {"group_by": "tag"}),
            ("/sims/usage", span | {"tag": "north"}),
            ("/sims/usage", {"interval": "hour"}),
            ("/sims/usage/top", span),
            ("/sim/push/rejected", {}),
        ):
            answer = await fleet.ours.viewer.get(path, params=params)
            assert answer.status_code == 200, answer.text
        maintenance = UsageMaintenance(fleet.sessions, kept_days=KEPT)
        await maintenance.run()
        await maintenance.publish_streamed()
        await reported(fleet, device, (HOUR, 5))
        await fleet.ours.admin.delete(f"/sims/{second}/claim")
        await fleet.claim(second)
        await synced(fleet)
    usage = [one for one in statements if re.search("usage|stream_|sim_releases", one[0])]
    assert len(usage) > 30
    for statement in {text: (text, values) for text, values in usage}.values():
        if statement[0].lstrip().startswith(("INSERT", "SELECT", "UPDATE", "DELETE", "WITH")):
            assert await scans(engine, statement) == [], statement[0]
