"""The tables `grants`, a row for each organisation that was granted something, and `sms_counts`."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Boolean, Date, Integer, String, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.platform.amounts import Amount
from sim_service.platform.database import Base

DEFAULT_CURRENCY = "EUR"


class Switch(StrEnum):
    """What can be granted; the values are columns of `grants`."""

    ORDERS = "orders"
    TOP_UPS = "top_ups"
    EXTENSIONS = "extensions"
    SMS = "sms"
    TICKETS = "tickets"
    RESETS = "resets"


class Grant(Base):
    """`budget_per_month`: gross money that purchases may cost in a UTC calendar month, in `currency`.

    `order_approval_above`: orders that cost more wait for the platform administrator; None: as the settings
    say. `sms_per_month`: so many messages, each part of a long one for itself. An organisation without a row
    may do nothing.
    """

    __tablename__ = "grants"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    budget_per_month: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    order_approval_above: Mapped[Decimal | None] = mapped_column(Amount)
    orders: Mapped[bool] = mapped_column(Boolean)
    top_ups: Mapped[bool] = mapped_column(Boolean)
    extensions: Mapped[bool] = mapped_column(Boolean)
    sms: Mapped[bool] = mapped_column(Boolean)
    sms_per_month: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    tickets: Mapped[bool] = mapped_column(Boolean)
    resets: Mapped[bool] = mapped_column(Boolean)
    changed_by: Mapped[UUID | None] = mapped_column(Uuid)
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @classmethod
    def nothing(cls, organization_id: UUID) -> "Grant":
        """What an organisation without a row has."""
        off = {switch.value: False for switch in Switch}
        return cls(
            organization_id=organization_id,
            budget_per_month=Decimal(0),
            currency=DEFAULT_CURRENCY,
            sms_per_month=0,
            **off,
        )

    def allows(self, switch: Switch) -> bool:
        return bool(getattr(self, switch))


class SmsCount(Base):
    """Messages of an organisation in a UTC month, part by part, but for those that ended unsent."""

    __tablename__ = "sms_counts"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    used: Mapped[int] = mapped_column(Integer)
