"""Purchases that the carrier refused cost nothing, so no budget bounds them: a number of each is kept."""

import pytest

from sim_service.billing.orders.repository import OrderRequestRepository
from sim_service.billing.purchases.models import NOT_FOUND
from sim_service.billing.topups.repository import TopUpRepository

from ..billing_support import inject_fault, top_up
from ..support import Fleet, Organization
from .test_orders import place

ORDERS = """
    INSERT INTO order_requests (id, organization_id, products, lines, customer_reference, requested_by, state,
                                reason, order_number, looks, next_look_at, queued)
    SELECT lpad(n::text, 32, '0')::uuid, :owner, '[]', n::text, '', :owner, 'failed',
           :reason, CAST(:number AS text), 0, now(), false
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n RETURNING id
"""
TOP_UPS = """
    INSERT INTO top_ups (id, organization_id, iccid, kind, payment_method, amount, currency, estimated, state,
                         reason, order_number, looks, next_look_at)
    SELECT lpad(n::text, 32, '0')::uuid, :owner, n::text, 'top_up', 'credit_card', 1, 'EUR', true, 'failed',
           :reason, CAST(:number AS text), 0, now()
    FROM generate_series(CAST(:first AS int), CAST(:last AS int)) n RETURNING id
"""
TABLES = {"order_requests": ORDERS, "top_ups": TOP_UPS}


async def failed(fleet: Fleet, table: str, owner: Organization, first: int, last: int, **more: str) -> None:
    values = {"reason": "CARRIER_REJECTED", "number": None, "first": first, "last": last}
    await fleet.rows(TABLES[table], owner=owner.id, **(values | more))


async def stored(fleet: Fleet, table: str) -> list[int]:
    """The failed rows by the numbers in their ids, without those that were bought in the test."""
    rows = await fleet.rows(f"SELECT id::text FROM {table} WHERE id::text LIKE '00000000-%' ORDER BY id")
    return [int(row.id.replace("-", "")) for row in rows]


async def buy(fleet: Fleet, table: str) -> int:
    """Buy something that the carrier refuses."""
    if table == "order_requests":
        inject_fault(fleet, "status", "/v?/orders", status=400)
        return (await place(fleet)).status_code
    inject_fault(fleet, "status", status=400)
    (iccid,) = await fleet.owned_sims(1)
    return (await top_up(fleet, iccid)).status_code


@pytest.mark.parametrize("table", TABLES)
async def test_the_oldest_failed_purchases_without_an_order_give_way(
    fleet: Fleet, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never those of others, nor what has an order, nor what the carrier may have an order for."""
    for repository in (OrderRequestRepository, TopUpRepository):
        monkeypatch.setattr(repository, "failed_kept", 3)
    await failed(fleet, table, fleet.ours, 1, 1, reason=NOT_FOUND)
    await failed(fleet, table, fleet.ours, 2, 2, number="N1")
    await failed(fleet, table, fleet.ours, 11, 20)
    await failed(fleet, table, fleet.theirs, 21, 30)
    assert await buy(fleet, table) >= 400
    assert await stored(fleet, table) == [1, 2, 18, 19, 20, *range(21, 31)]
    assert await buy(fleet, table) >= 400
    assert await stored(fleet, table) == [1, 2, 19, 20, *range(21, 31)]
