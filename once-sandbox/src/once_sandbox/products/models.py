"""The catalogue."""

from dataclasses import dataclass

from once_sandbox.wire import Json, present


@dataclass(frozen=True, slots=True)
class Product:
    """One product; `net_cents` for one package, once."""

    id: int
    name: str
    material: str
    package_size: int
    net_cents: int
    charge: str
    months: int = 120
    most: int | None = None


TOP_UP_CENTS = 1000
"""Net price of one top-up."""

PRODUCTS = (
    Product(1001, "1NCE IoT FlexSIM - Standard", "1NCE FlexSIM", 1, 1000, "provisionCharge", most=10_000),
    Product(1002, "1NCE IoT FlexSIM - Industrial", "1NCE FlexSIM Industrial", 1, 1200, "provisionCharge"),
    Product(1003, "1NCE IoT SIM Chip Industrial", "1NCE MFF2", 1, 1200, "provisionCharge"),
    Product(1010, "1NCE IoT FlexSIM - Standard, 10 pack", "1NCE FlexSIM", 10, 10_000, "provisionCharge"),
    Product(2001, "1NCE Lifetime Extension", "Extension", 1, 1000, "extensionCharge"),
)


def product(number: int) -> Product | None:
    """The product with that id."""
    return next((entry for entry in PRODUCTS if entry.id == number), None)


def product_json(entry: Product) -> Json:
    """A product as 1NCE writes it."""
    charge = {"name": entry.charge, "amount_net": entry.net_cents / 100, "currency": "EUR"}
    return present(
        id=entry.id,
        product=entry.name,
        material=entry.material,
        package_size=entry.package_size,
        minQuantity=1,
        maxQuantity=entry.most,
        min_contract_duration=entry.months,
        one_time_charges=[charge],
        recurring_charges=[],
    )
