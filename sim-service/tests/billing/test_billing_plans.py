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
from sim_service.billing.budgets.repository import SpendingRepository
from sim_service.billing.orders.repository import OrderRepository, OrderRequestRepository
from sim_service.billing.policies.models import Policy
from sim_service.billing.policies.repository import PolicyRepository
from sim_service.billing.purchases.models import PurchaseState
from sim_service.billing.topups.queries import bought_in_month, spent_in_month
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.carrier.models import QuotaKind
from sim_service.provisioning.claim_codes.repository import ClaimCodeRepository
from sim_service.provisioning.claims.repository import ClaimRepository
from sim_service.usage.quotas.repository import QuotaRepository
from sim_service.usage.quotas.schemas import QuotaQuery

from ..support import Fleet

Ask = Callable[[AsyncSession], Awaitable[Any]]
AWAITING = PurchaseState.AWAITING_APPROVAL
OURS, ID, NOW = Scope(uuid4()), uuid4(), datetime.now(UTC)
NEXT = PageParams(cursor=encode_cursor(["-id", str(uuid4())]))
POLICY = Policy(
    id=ID, organization_id=OURS.organization_id, select_by="tags", tags=["a"], iccids=[],
    forecast_below_days=7, remaining_below_percent=20,
)  # fmt: skip

QUERIES: dict[str, Ask] = {
    "ledger": lambda s: TopUpRepository(s, OURS).page({}, NEXT),
    "ledger of all": lambda s: TopUpRepository(s, EVERYTHING).page({}, NEXT),
    "ledger of a SIM": lambda s: TopUpRepository(s, OURS).page({"iccid": "1"}, NEXT),
    "months": lambda s: TopUpRepository(s, OURS).months(NOW - timedelta(days=9), NOW),
    "due": lambda s: TopUpRepository(s, EVERYTHING).due(10),
    "of an order": lambda s: TopUpRepository(s, EVERYTHING).of_order("1"),
    "spent": lambda s: spent_in_month(s, ID, NOW),
    "counts": lambda s: bought_in_month(s, ID, ["1"], NOW),
    "pending": lambda s: TopUpRepository(s, EVERYTHING).pending(["1"]),
    "without order": lambda s: TopUpRepository(s, EVERYTHING).without_order(["1"], "x"),
    "quotas": lambda s: QuotaRepository(s, OURS).page(QuotaQuery(ends_before=NOW.date()), PageParams()),
    "quotas of all": lambda s: QuotaRepository(s, EVERYTHING).page(QuotaQuery(), PageParams()),
    "kept": lambda s: QuotaRepository(s, EVERYTHING).find_many(["1"], QuotaKind.DATA),
    "policies": lambda s: PolicyRepository(s, OURS).page(NEXT),
    "decisions": lambda s: PolicyRepository(s, OURS).decisions(ID, {}, NEXT),
    "proposals": lambda s: PolicyRepository(s, OURS).proposals(ID, None, NEXT),
    "triggered": lambda s: PolicyRepository(s, EVERYTHING).triggered(POLICY, NOW.date()),
    "outdated": lambda s: PolicyRepository(s, EVERYTHING).outdated(POLICY, NOW),
    "orders": lambda s: OrderRepository(s, OURS).page({}, PageParams()),
    "orders of all": lambda s: OrderRepository(s, EVERYTHING).page({}, PageParams()),
    "orders of a SIM": lambda s: OrderRepository(s, OURS).page({}, PageParams(), iccid="1"),
    "unfinished": lambda s: OrderRepository(s, EVERYTHING).unfinished(synced_before=NOW),
    "requests": lambda s: OrderRequestRepository(s, OURS).page(None, NEXT),
    "requests awaiting": lambda s: OrderRequestRepository(s, EVERYTHING).page(AWAITING, PageParams()),
    "requests of orders": lambda s: OrderRequestRepository(s, EVERYTHING).with_numbers(["1"]),
    "budget": lambda s: SpendingRepository(s, ID).spent(NOW),
    "ordered SIMs": lambda s: ClaimRepository(s, ID).ordered(["1"]),
    "claim codes": lambda s: ClaimCodeRepository(s, EVERYTHING).page(NEXT),
    "requests undecided": lambda s: OrderRequestRepository(s, EVERYTHING).undecided(NOW, 10),
    "failed requests": lambda s: OrderRequestRepository(s, EVERYTHING).forget_failed(ID),
    "failed top-ups": lambda s: TopUpRepository(s, EVERYTHING).forget_failed(ID),
    "requests due": lambda s: OrderRequestRepository(s, EVERYTHING).due(10),
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
