"""The queries on money and quotas use indexes, whatever the planner would like on small tables."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.pagination import PageParams, encode_cursor
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.carrier.facts import QuotaKind
from sim_service.orders.repository import OrderFilter, OrderRepository, OrderRequestRepository
from sim_service.policies.models import Policy
from sim_service.policies.repository import DecisionFilter, PolicyRepository
from sim_service.quotas.repository import QuotaFilter, QuotaRepository
from sim_service.topups.repository import TopUpFilter, TopUpRepository

from .support import Fleet

Ask = Callable[[AsyncSession], Awaitable[Any]]
OURS, ID, NOW = Scope(uuid4()), uuid4(), datetime.now(UTC)
NEXT = PageParams(cursor=encode_cursor(["-id", str(uuid4())]))
POLICY = Policy(
    id=ID, organization_id=OURS.organization_id, select_by="tags", tags=["a"], iccids=[],
    forecast_below_days=7, remaining_below_percent=20,
)  # fmt: skip

QUERIES: dict[str, Ask] = {
    "ledger": lambda s: TopUpRepository(s, OURS).page(TopUpFilter(), NEXT),
    "ledger of all": lambda s: TopUpRepository(s, EVERYTHING).page(TopUpFilter(), NEXT),
    "ledger of a SIM": lambda s: TopUpRepository(s, OURS).page(TopUpFilter(iccid="1"), NEXT),
    "months": lambda s: TopUpRepository(s, OURS).months(NOW - timedelta(days=9), NOW),
    "due": lambda s: TopUpRepository(s, EVERYTHING).due(NOW, 10),
    "of an order": lambda s: TopUpRepository(s, EVERYTHING).of_order("1"),
    "spent": lambda s: TopUpRepository(s, EVERYTHING).spent(ID, NOW),
    "counts": lambda s: TopUpRepository(s, EVERYTHING).counts(ID, ["1"], NOW),
    "pending": lambda s: TopUpRepository(s, EVERYTHING).pending(["1"]),
    "without order": lambda s: TopUpRepository(s, EVERYTHING).without_order(["1"], "x"),
    "quotas": lambda s: QuotaRepository(s, OURS).page(QuotaFilter(ends_before=NOW.date()), PageParams()),
    "quotas of all": lambda s: QuotaRepository(s, EVERYTHING).page(QuotaFilter(), PageParams()),
    "kept": lambda s: QuotaRepository(s, EVERYTHING).kept(["1"], QuotaKind.DATA),
    "policies": lambda s: PolicyRepository(s, OURS).page(NEXT),
    "decisions": lambda s: PolicyRepository(s, OURS).decisions(ID, DecisionFilter(), NEXT),
    "proposals": lambda s: PolicyRepository(s, OURS).proposals(ID, None, NEXT),
    "forget": lambda s: PolicyRepository(s, EVERYTHING).forget(NOW.date(), 10),
    "triggered": lambda s: PolicyRepository(s, EVERYTHING).triggered(POLICY, NOW.date()),
    "untold": lambda s: PolicyRepository(s, EVERYTHING).untold(POLICY, NOW),
    "orders": lambda s: OrderRepository(s, OURS).page(OrderFilter(), PageParams()),
    "orders of all": lambda s: OrderRepository(s, EVERYTHING).page(OrderFilter(), PageParams()),
    "orders of a SIM": lambda s: OrderRepository(s, OURS).page(OrderFilter(iccid="1"), PageParams()),
    "unfinished": lambda s: OrderRepository(s, EVERYTHING).unfinished(synced_before=NOW),
    "requests": lambda s: OrderRequestRepository(s, OURS).page(NEXT),
    "requests due": lambda s: OrderRequestRepository(s, EVERYTHING).due(NOW, 10),
}


@pytest.fixture
async def unscanned(fleet: Fleet) -> AsyncIterator[AsyncSession]:
    """A session whose planner scans a whole table only where there is no other way."""
    async with fleet.sessions() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        yield session
        await session.rollback()


@pytest.mark.parametrize("name", QUERIES)
async def test_no_table_is_read_as_a_whole(unscanned: AsyncSession, name: str) -> None:
    connection = await unscanned.connection()
    asked: list[tuple[str, Any]] = []

    def hear(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        asked.append((statement, values))

    event.listen(connection.sync_connection, "before_cursor_execute", hear)
    await QUERIES[name](unscanned)
    event.remove(connection.sync_connection, "before_cursor_execute", hear)
    assert asked
    for statement, values in asked:
        rows = await connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        plan = "\n".join(row[0] for row in rows)
        assert "Seq Scan" not in plan, plan
