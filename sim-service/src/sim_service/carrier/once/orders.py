"""Orders, products and top-ups."""

from collections.abc import Callable, Sequence
from typing import Any

from sim_service.carrier.errors import CarrierBadAnswer
from sim_service.carrier.models import (
    CarrierOrder,
    CarrierProduct,
    OrderPage,
    OrderToPlace,
    PaymentMethod,
    Priority,
)
from sim_service.carrier.once import operations
from sim_service.carrier.once.endpoint_group import (
    TOTAL,
    EndpointGroup,
    Params,
    created_number,
    expect_number,
    number_in,
)
from sim_service.carrier.once.outcome_check import (
    OutcomeCheck,
    check_list_since_now,
    matches_iccids,
    matches_products,
)
from sim_service.carrier.once.parsers import orders as parsers

_ORDERS_PAGE_SIZE = 10
"""Most that 1NCE allows."""
_PAYMENTS = {
    PaymentMethod.BANK_TRANSFER: "banktransfer",
    PaymentMethod.CREDIT_CARD: "creditcard",
    PaymentMethod.MONTHLY_INVOICE: "monthlyinvoice",
    PaymentMethod.BOLETO: "boleto",
}


class OrderEndpoints(EndpointGroup):
    async def top_up(self, iccids: Sequence[str], payment: PaymentMethod, *, priority: Priority) -> str:
        chosen = list(dict.fromkeys(iccids))
        single = len(chosen) == 1  # several SIMs in one order exist only in v1
        operation = operations.TOP_UP if single else operations.TOP_UP_MANY
        answer = await self._transport.send(
            operation,
            priority=priority,
            iccid=chosen[0] if single else "",
            params={"payment_method": _PAYMENTS[payment]},
            body=None if single else chosen,
            outcome_check=self._order_check(priority, lambda order: matches_iccids(order, chosen)),
        )
        return created_number(operation, answer)

    async def set_auto_top_up(self, iccids: Sequence[str], *, enabled: bool, priority: Priority) -> None:
        body = {"enabled": enabled, "iccids": list(dict.fromkeys(iccids))}
        await self._transport.send(operations.AUTO_TOP_UP, priority=priority, body=body)

    async def list_orders(self, page: int, *, priority: Priority) -> OrderPage:
        params: Params = {"page": page, "pageSize": _ORDERS_PAGE_SIZE, "sort": "-order_number"}
        rows, answer = await self._rows(operations.LIST_ORDERS, priority, params=params)
        orders = [order for row in rows if (order := parsers.order(row)) is not None]
        return OrderPage(orders, answer.total(TOTAL))

    async def get_order(self, number: str, *, priority: Priority) -> CarrierOrder:
        expect_number(number, operations.GET_ORDER)
        order = parsers.order(await self._read_record(operations.GET_ORDER, priority, item=number))
        if order is None or order.number != number:
            raise CarrierBadAnswer("the carrier's answer describes another order, or none")
        return order

    async def place_order(self, order: OrderToPlace, *, priority: Priority) -> str:
        lines = [{"productId": product, "quantity": quantity} for product, quantity in order.products]
        body: dict[str, Any] = {"products": lines}
        if order.address is not None:
            body["delivery_address"] = order.address
        if order.reference:
            body["customer_reference"] = order.reference
        outcome_check = self._order_check(priority, lambda listed: matches_products(listed, order.products))
        answer = await self._transport.send(
            operations.PLACE_ORDER, priority=priority, body=body, outcome_check=outcome_check
        )
        return created_number(operations.PLACE_ORDER, answer)

    async def extend_sims(self, iccids: Sequence[str], product_id: int | None, *, priority: Priority) -> str:
        chosen = list(dict.fromkeys(iccids))
        body: dict[str, Any] = {"iccids": chosen}
        if product_id is not None:
            body["productId"] = product_id
        outcome_check = self._order_check(priority, lambda order: matches_iccids(order, chosen))
        answer = await self._transport.send(
            operations.EXTEND_SIMS, priority=priority, body=body, outcome_check=outcome_check
        )
        return number_in(answer)

    async def products(self, *, priority: Priority) -> list[CarrierProduct]:
        return await self._list(parsers.product, operations.LIST_PRODUCTS, priority)

    def _order_check(self, priority: Priority, may_be: Callable[[CarrierOrder], bool]) -> OutcomeCheck:
        async def page(number: int) -> Sequence[CarrierOrder]:
            return (await self.list_orders(number, priority=priority)).orders

        return check_list_since_now(page, lambda order: order.placed_at, may_be)
