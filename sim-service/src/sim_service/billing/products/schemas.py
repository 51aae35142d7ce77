"""HTTP shapes of products."""

from typing import Any

from fleet_kit.schemas import ResponseModel
from sim_service.platform.amounts import Money


class ProductOut(ResponseModel):
    """A product; `price` is net, for one package, charged once; `months` is how long it runs at least."""

    id: int
    name: str
    material: str | None
    package_size: int | None
    smallest_quantity: int | None
    largest_quantity: int | None
    price: Money | None
    currency: str | None
    months: int | None
    charges: list[dict[str, Any]]
