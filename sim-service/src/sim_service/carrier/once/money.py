"""What costs money, and looking at it."""

from collections.abc import Callable, Sequence
from typing import Any

from sim_service.carrier.errors import CarrierBadAnswer
from sim_service.carrier.facts import (
    CarrierOrder,
    CarrierProduct,
    OrderPage,
    OrderToPlace,
    PaymentMethod,
    Priority,
)
from sim_service.carrier.once import operations
from sim_service.carrier.once.caller import TOTAL, Caller, Params, is_number, made, number_of
from sim_service.carrier.once.looking import Look, buys, look_since_now, touches
from sim_service.carrier.once.records import money as records

_ORDERS_A_PAGE = 10
"""Most that 1NCE allows."""
_PAYMENTS = {
    PaymentMethod.BANK_TRANSFER: "banktransfer",
    PaymentMethod.CREDIT_CARD: "creditcard",
    PaymentMethod.MONTHLY_INVOICE: "monthlyinvoice",
    PaymentMethod.BOLETO: "boleto",
}


class Money(Caller):
    """See sim_service.carrier.base.MoneyCalls."""

    async def top_up(self, iccids: Sequence[str], payment: PaymentMethod, *, priority: Priority) -> str:
        """See MoneyCalls. Several SIMs in one order exist only in v1."""
        chosen = list(dict.fromkeys(iccids))
        params = {"payment_method": _PAYMENTS[payment]}
        look = self._for_order(priority, lambda order: touches(order, chosen))
        if len(chosen) == 1:
            operation = operations.TOP_UP
            answer = await self._transport.send(
                operation, priority=priority, iccid=chosen[0], params=params, look=look
            )
        else:
            operation = operations.TOP_UP_MANY
            answer = await self._transport.send(
                operation, priority=priority, params=params, body=chosen, look=look
            )
        return made(operation, answer)

    async def set_auto_top_up(self, iccids: Sequence[str], *, enabled: bool, priority: Priority) -> None:
        """See MoneyCalls."""
        body = {"enabled": enabled, "iccids": list(dict.fromkeys(iccids))}
        await self._transport.send(operations.AUTO_TOP_UP, priority=priority, body=body)

    async def list_orders(self, page: int, *, priority: Priority) -> OrderPage:
        """See MoneyCalls. Orders that cannot be read are left out."""
        params: Params = {"page": page, "pageSize": _ORDERS_A_PAGE, "sort": "-order_number"}
        rows, answer = await self._rows(operations.LIST_ORDERS, priority, params=params)
        orders = [order for row in rows if (order := records.order(row)) is not None]
        return OrderPage(orders, answer.total(TOTAL))

    async def get_order(self, number: str, *, priority: Priority) -> CarrierOrder:
        """See MoneyCalls."""
        if not is_number(number):
            raise operations.missing(operations.GET_ORDER)
        order = records.order(await self._read(operations.GET_ORDER, priority, item=number))
        if order is None or order.number != number:
            raise CarrierBadAnswer("the carrier's answer describes another order, or none")
        return order

    async def place_order(self, order: OrderToPlace, *, priority: Priority) -> str:
        """See MoneyCalls."""
        lines = [{"productId": product, "quantity": quantity} for product, quantity in order.products]
        body: dict[str, Any] = {"products": lines}
        if order.address is not None:
            body["delivery_address"] = order.address
        if order.reference:
            body["customer_reference"] = order.reference
        look = self._for_order(priority, lambda listed: buys(listed, order.products))
        answer = await self._transport.send(operations.PLACE_ORDER, priority=priority, body=body, look=look)
        return made(operations.PLACE_ORDER, answer)

    async def extend_sims(self, iccids: Sequence[str], product_id: int | None, *, priority: Priority) -> str:
        """See MoneyCalls."""
        chosen = list(dict.fromkeys(iccids))
        body: dict[str, Any] = {"iccids": chosen}
        if product_id is not None:
            body["productId"] = product_id
        look = self._for_order(priority, lambda order: touches(order, chosen))
        answer = await self._transport.send(operations.EXTEND_SIMS, priority=priority, body=body, look=look)
        return number_of(answer)

    async def products(self, *, priority: Priority) -> list[CarrierProduct]:
        """See MoneyCalls. Products that cannot be read are left out."""
        rows, _ = await self._rows(operations.LIST_PRODUCTS, priority)
        return [product for row in rows if (product := records.product(row)) is not None]

    def _for_order(self, priority: Priority, may_be: Callable[[CarrierOrder], bool]) -> Look:
        async def page(number: int) -> Sequence[CarrierOrder]:
            return (await self.list_orders(number, priority=priority)).orders

        return look_since_now(page, lambda order: order.placed_at, may_be)
