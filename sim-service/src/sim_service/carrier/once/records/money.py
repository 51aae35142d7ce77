"""Orders and products."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sim_service.carrier.facts import CarrierOrder, CarrierProduct, OrderKind, OrderState
from sim_service.carrier.once import values
from sim_service.iccid import is_iccid

_CENT = Decimal("0.01")
_KINDS = {kind.value: kind for kind in OrderKind}
_STATES = {state.value: state for state in OrderState}

Record = Mapping[str, Any]


def order(record: Any) -> CarrierOrder | None:
    """An order; None without a number."""
    if not isinstance(record, Mapping):
        return None
    number = values.text(record, "order_number", longest=40)
    if number is None:
        return None
    address = values.cleaned(values.nested(record, "shipping_address"))
    lines = (
        (values.whole(row, "product_id"), values.whole(row, "quantity")) for row in _rows(record, "products")
    )
    iccids = (values.text(row, "iccid") or "" for row in _rows(record, "sims"))
    kind = (values.text(record, "order_type") or "").lower()
    state = (values.text(record, "order_status") or "").lower()
    return CarrierOrder(
        number=number,
        kind=_KINDS.get(kind, OrderKind.UNKNOWN),
        state=_STATES.get(state, OrderState.UNKNOWN),
        placed_at=values.moment(record, "order_date"),
        amount=_amount(record, "invoice_amount"),
        currency=values.text(record, "currency", longest=3),
        invoice_number=values.text(record, "invoice_number", longest=40),
        iccids=tuple(iccid for iccid in iccids if is_iccid(iccid)),
        products=tuple(
            (product, count) for product, count in lines if product is not None and count is not None
        ),
        shipping_address=address if isinstance(address, dict) and address else None,
    )


def product(record: Any) -> CarrierProduct | None:
    """A product; None without an id. Its price is the sum of what is charged once."""
    if not isinstance(record, Mapping):
        return None
    number, name = values.whole(record, "id"), values.text(record, "product")
    if number is None:
        return None
    once = [(row, _amount(row, "amount_net")) for row in _rows(record, "one_time_charges")]
    amounts = [amount for _, amount in once if amount is not None]
    return CarrierProduct(
        id=number,
        name=name or f"product {number}",
        material=values.text(record, "material"),
        package_size=values.whole(record, "package_size"),
        smallest_quantity=values.whole(record, "minQuantity"),
        largest_quantity=values.whole(record, "maxQuantity"),
        price=sum(amounts, Decimal(0)) if amounts else None,
        currency=next((values.text(row, "currency", longest=3) for row, _ in once), None),
        months=values.whole(record, "min_contract_duration"),
        charges=(
            *_charges(record, "one_time_charges", "once"),
            *_charges(record, "recurring_charges", "again"),
        ),
    )


def _charges(record: Record, name: str, when: str) -> list[dict[str, object]]:
    return [
        {
            "name": values.text(row, "name"),
            "amount": str(_amount(row, "amount_net")),
            "currency": values.text(row, "currency", longest=3),
            "charged": when,
        }
        for row in _rows(record, name)
        if _amount(row, "amount_net") is not None
    ]


def _amount(record: Record, name: str) -> Decimal | None:
    parsed = values.number(record, name)
    return None if parsed is None else parsed.quantize(_CENT)


def _rows(record: Record, name: str) -> list[Record]:
    rows = record.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
