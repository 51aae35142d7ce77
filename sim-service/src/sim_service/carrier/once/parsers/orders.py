"""Orders and products."""

from collections.abc import Mapping
from decimal import Decimal

from sim_service.carrier.models import CarrierOrder, CarrierProduct, OrderKind, OrderState
from sim_service.carrier.once import fields
from sim_service.carrier.once.fields import Record
from sim_service.platform.iccid import is_iccid

_CENT = Decimal("0.01")


def order(record: Record) -> CarrierOrder | None:
    """An order; None without a number."""
    number = fields.text(record, "order_number", max_length=40)
    if number is None:
        return None
    address = fields.cleaned(fields.nested(record, "shipping_address"))
    lines = (
        (fields.whole(row, "product_id"), fields.whole(row, "quantity")) for row in _rows(record, "products")
    )
    iccids = (fields.text(row, "iccid") or "" for row in _rows(record, "sims"))
    return CarrierOrder(
        number=number,
        kind=fields.choice(fields.text(record, "order_type"), OrderKind, otherwise=OrderKind.UNKNOWN),
        state=fields.choice(fields.text(record, "order_status"), OrderState, otherwise=OrderState.UNKNOWN),
        placed_at=fields.moment(record, "order_date"),
        amount=_amount(record, "invoice_amount"),
        currency=fields.text(record, "currency", max_length=3),
        invoice_number=fields.text(record, "invoice_number", max_length=40),
        iccids=tuple(iccid for iccid in iccids if is_iccid(iccid)),
        products=tuple(
            (product, count) for product, count in lines if product is not None and count is not None
        ),
        shipping_address=address if isinstance(address, dict) and address else None,
    )


def product(record: Record) -> CarrierProduct | None:
    """A product; None without an id. Its price is the sum of what is charged once."""
    number, name = fields.whole(record, "id"), fields.text(record, "product")
    if number is None:
        return None
    once = [(row, _amount(row, "amount_net")) for row in _rows(record, "one_time_charges")]
    amounts = [amount for _, amount in once if amount is not None]
    return CarrierProduct(
        id=number,
        name=name or f"product {number}",
        material=fields.text(record, "material"),
        package_size=fields.whole(record, "package_size"),
        smallest_quantity=fields.whole(record, "minQuantity"),
        largest_quantity=fields.whole(record, "maxQuantity"),
        price=sum(amounts, Decimal(0)) if amounts else None,
        currency=next((fields.text(row, "currency", max_length=3) for row, _ in once), None),
        months=fields.whole(record, "min_contract_duration"),
        charges=(
            *_charges(record, "one_time_charges", "once"),
            *_charges(record, "recurring_charges", "again"),
        ),
    )


def _charges(record: Record, name: str, when: str) -> list[dict[str, object]]:
    return [
        {
            "name": fields.text(row, "name"),
            "amount": str(_amount(row, "amount_net")),
            "currency": fields.text(row, "currency", max_length=3),
            "charged": when,
        }
        for row in _rows(record, name)
        if _amount(row, "amount_net") is not None
    ]


def _amount(record: Record, name: str) -> Decimal | None:
    parsed = fields.number(record, name)
    return None if parsed is None else parsed.quantize(_CENT)


def _rows(record: Record, name: str) -> list[Record]:
    rows = record.get(name)
    return [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
