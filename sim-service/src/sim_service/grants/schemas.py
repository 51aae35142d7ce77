"""HTTP shapes of grants."""

from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import Field

from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.grants.models import DEFAULT_CURRENCY
from sim_service.platform.amounts import Money

Limit = Annotated[Decimal, Field(ge=0, max_digits=12, decimal_places=2)]


class GrantIn(StrictModel):
    """All that an organisation is to have from now on; what is left out is off, or zero.

    `budget_per_month`: gross, for a UTC calendar month. `order_approval_above`: orders that cost more wait
    for the platform administrator; null: as `ORDER_APPROVAL_ABOVE` says. `sms_per_month`: in a UTC calendar
    month; each part of a long message counts.
    """

    budget_per_month: Limit = Decimal(0)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217")] = DEFAULT_CURRENCY
    order_approval_above: Limit | None = None
    orders: bool = False
    top_ups: bool = False
    extensions: bool = False
    sms: bool = False
    sms_per_month: Annotated[int, Field(ge=0, le=10**9)] = 0
    tickets: bool = False
    resets: bool = False


class GrantOut(ResponseModel):
    """What an organisation has; `changed_at` null: nothing was ever granted."""

    organization_id: UUID
    budget_per_month: Money
    currency: str
    order_approval_above: Money | None
    orders: bool
    top_ups: bool
    extensions: bool
    sms: bool
    sms_per_month: int
    tickets: bool
    resets: bool
    changed_by: UUID | None
    changed_at: Timestamp | None
