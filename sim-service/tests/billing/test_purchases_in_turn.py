"""Purchases are followed for organisations in turn, however many one of them has."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from fleet_kit.errors import NotFound
from fleet_kit.scope import EVERYTHING
from sim_service.billing.orders.placement import OrderPlacement
from sim_service.billing.orders.repository import OrderRequestRepository
from sim_service.billing.purchases import reconciliation
from sim_service.billing.purchases.models import Purchase
from sim_service.billing.topups.reconciliation import TopUpReconciler
from sim_service.billing.topups.repository import TopUpRepository

from ..support import Fleet, Organization
from ..test_plans import nodes, plan, queries

TOP_UPS = """
    INSERT INTO top_ups (id, organization_id, iccid, kind, payment_method, amount, currency, estimated, state,
                         order_number, looks, next_look_at)
    SELECT gen_random_uuid(), :owner, n::text, 'top_up', 'credit_card', 1, 'EUR', true, 'ordered',
           CAST(:prefix AS text) || n, 3, now() - :age * interval '1 second'
    FROM generate_series(1, :number) n RETURNING 1
"""
REQUESTS = """
    INSERT INTO order_requests (id, organization_id, products, lines, customer_reference, requested_by, state,
                                looks, next_look_at, queued)
    SELECT lpad(to_hex(:age * -1000000 + 2000000000 + n), 32, '0')::uuid, :owner, '[]',
           CAST(:prefix AS text) || n, '', :owner, CASE WHEN :queued THEN 'requested' ELSE 'unknown' END, 0,
           now() - :age * interval '1 second' + CASE WHEN :queued THEN interval '1 day' ELSE '0' END, :queued
    FROM generate_series(1, :number) n RETURNING 1
"""
Take = Callable[[AsyncSession], Awaitable[Sequence[Purchase]]]
QUEUES: dict[str, tuple[str, dict[str, Any], Take]] = {
    "top-ups to follow": (TOP_UPS, {}, lambda s: TopUpRepository(s, EVERYTHING).due(10)),
    "orders to find": (REQUESTS, {"queued": False}, lambda s: OrderRequestRepository(s, EVERYTHING).due(10)),
    "orders to place": (
        REQUESTS,
        {"queued": True},
        lambda s: OrderRequestRepository(s, EVERYTHING).next_queued(10),
    ),
}


async def many_of_ours_and_one_of_theirs(
    fleet: Fleet, statement: str = TOP_UPS, *, number: int, **values: Any
) -> None:
    """Ours fell due before theirs."""
    for owner, count, age in ((fleet.ours, number, 600), (fleet.theirs, 1, 0)):
        await fleet.rows(
            statement, owner=owner.id, prefix=f"{owner.id}-"[-5:], number=count, age=age, **values
        )


def order_of(owner: Organization) -> str:
    return f"{owner.id}-1"[-5 - 1 :]


@pytest.mark.parametrize("name", QUEUES)
async def test_a_purchase_is_found_beside_a_hundred_thousand_of_another_organisation(
    fleet: Fleet, name: str
) -> None:
    """By the planner's own choice, and of those hardly any is read.

    Of orders to place it may read all: with such rules it takes whichever order by id seems cheaper.
    """
    statement, values, take = QUEUES[name]
    await many_of_ours_and_one_of_theirs(fleet, statement, number=100_000, **values)
    engine: AsyncEngine = fleet.app.state.resources.engine
    table = "top_ups" if statement == TOP_UPS else "order_requests"
    async with engine.begin() as connection:
        await connection.execute(text(f"ANALYZE {table}"))
    with queries(engine) as asked:
        async with fleet.app.state.resources.sessions() as session:
            owners = [purchase.organization_id for purchase in await take(session)]
            read = await session.scalar(text(READ), {"table": table})
            await session.rollback()
    assert len(owners) == 10
    assert set(owners) == {fleet.ours.id, fleet.theirs.id}
    assert read < 1000 or name == "orders to place"
    query, given = next((one, asked[one]) for one in asked if "owners" in one)
    assert "Seq Scan" not in {
        node["Node Type"]
        for node in nodes(await plan(engine, query, given))
        if node.get("Relation Name") == table
    }


READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = :table"


@pytest.fixture
def orders_read(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Numbers of the orders that the carrier is asked for; it knows none of them."""
    read: list[str] = []

    async def get_order(number: str, **_: Any) -> None:
        read.append(number)
        raise NotFound("no such order", code="ORDER_NOT_FOUND")

    monkeypatch.setattr(fleet.app.state.resources.carrier, "get_order", get_order)
    return read


async def test_a_top_up_does_not_wait_for_thousands_of_another_organisation(
    fleet: Fleet, orders_read: list[str]
) -> None:
    await many_of_ours_and_one_of_theirs(fleet, number=3000)
    await TopUpReconciler(fleet.sessions, fleet.app.state.resources.carrier, give_up=900).poll()
    assert len(orders_read) == TopUpReconciler.batch
    assert order_of(fleet.theirs) in orders_read[:2]


async def test_a_round_without_time_leaves_the_rest_to_the_next_as_it_was(
    fleet: Fleet, orders_read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So what falls due meanwhile has its turn after one round's time, not after all that was claimed."""
    monkeypatch.setattr(reconciliation, "ROUND_SECONDS", 0)
    await many_of_ours_and_one_of_theirs(fleet, number=50)
    reconciler = TopUpReconciler(fleet.sessions, fleet.app.state.resources.carrier, give_up=900)
    await reconciler.poll()
    assert len(orders_read) == 1
    left = await fleet.rows(
        "SELECT order_number FROM top_ups WHERE looks = 3 AND next_look_at <= now() ORDER BY order_number"
    )
    assert len(left) == 50
    assert orders_read[0] not in {row.order_number for row in left}
    await reconciler.poll()
    assert len(set(orders_read)) == 2


async def test_a_queued_order_does_not_wait_for_all_of_another_organisation(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many_of_ours_and_one_of_theirs(fleet, REQUESTS, number=300, queued=True)
    placed: list[UUID] = []

    async def dequeue(_: OrderPlacement, row: Purchase) -> bool:
        placed.append(row.organization_id)
        return False

    monkeypatch.setattr(OrderPlacement, "_dequeue", dequeue)
    await OrderPlacement(fleet.sessions, fleet.app.state.resources.carrier, give_up=900).poll()
    assert fleet.theirs.id in placed[:2]
