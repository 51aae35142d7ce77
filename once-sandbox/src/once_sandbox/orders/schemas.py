"""Orders and what leads to them, as 1NCE writes them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from once_sandbox.orders.models import Order
from once_sandbox.wire import Json, Text, present, zulu

Iccids = Annotated[list[str], Field(min_length=1, max_length=10_000)]


class OrderedProduct(BaseModel):
    """A product and how many packages of it."""

    model_config = ConfigDict(strict=True)

    product_id: int = Field(alias="productId")
    quantity: int = Field(ge=1, le=10_000)


class Address(BaseModel):
    """Where to deliver; what is unknown here is ignored."""

    model_config = ConfigDict(str_max_length=255)

    salutation: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    company: Text | None = None
    street: Text | None = None
    address_line2: Text | None = None
    house_number: Text | None = None
    zip: Text | None = None
    city: Text | None = None
    country: Text | None = None
    phone: Text | None = None


class NewOrder(BaseModel):
    """An order of SIMs."""

    products: Annotated[list[OrderedProduct], Field(min_length=1, max_length=50)]
    delivery_address: Address | None = None
    customer_reference: Text = Field(default="", max_length=255)


class AutoTopup(BaseModel):
    """Switch auto top-up on or off."""

    model_config = ConfigDict(strict=True)

    enabled: bool
    iccids: Iccids


class Extension(BaseModel):
    """Prolong SIMs, with another product if one is named."""

    iccids: Iccids
    product_id: int | None = Field(default=None, alias="productId")


class IccidRange(BaseModel):
    """Both ends included."""

    first: str = Field(alias="from", pattern=r"^\d{18,20}$")
    last: str = Field(alias="to", pattern=r"^\d{18,20}$")


class Transfer(BaseModel):
    """Give SIMs to another organisation."""

    target_organisation: int | None = None
    iccid_ranges: list[IccidRange] = Field(default=[], max_length=100)
    iccids: list[str] = Field(default=[], max_length=10_000)


def order_json(order: Order, base: str) -> Json:
    """One order; `base` is the address of this API."""
    return present(
        order_number=order.number,
        order_type=order.type,
        order_date=zulu(order.placed_at),
        order_status=order.status,
        invoice_number=str(order.number - 1_979_999_999) if order.paid_at is not None else None,
        invoice_amount=f"{order.gross_cents / 100:.2f}",
        currency="EUR",
        shipping_address=order.address,
        sims=[_sim(iccid, base) for iccid in order.iccids] or None,
        products=[{"product_id": number, "quantity": count} for number, count in order.products.items()]
        or None,
    )


def _sim(iccid: str, base: str) -> Json:
    return {"iccid": iccid, "_links": [{"rel": "self", "href": f"{base}/v1/sims/{iccid}"}]}
