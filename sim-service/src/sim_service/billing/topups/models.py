"""The table `top_ups`: the ledger of everything that was bought for a SIM."""

from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Index, String, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sim_service.billing.purchases.models import (
    FAILED_ROWS,
    FAILED_UNORDERED_ROWS,
    ORDERED_ROWS,
    PENDING_ROWS,
    UNSETTLED,
    UNSETTLED_ROWS,
    Purchase,
)
from sim_service.platform.amounts import Amount
from sim_service.platform.database import Base


class PurchaseKind(StrEnum):
    """Volume for a SIM, or a longer life of it."""

    TOP_UP = "top_up"
    EXTENSION = "extension"


REFERENCED = text("reference IS NOT NULL")
POLICY_ROWS = text("policy_id IS NOT NULL")


class TopUp(Purchase, Base):
    """A purchase for one SIM. `amount`: expected while `estimated`, then the SIM's share of the order.

    `reference`: who repeats a request with the same one finds the purchase instead of making another.
    `before`: the data quota as it was known at the intent.
    """

    __tablename__ = "top_ups"

    iccid: Mapped[str] = mapped_column(String(19))
    kind: Mapped[str] = mapped_column(String(20))
    payment_method: Mapped[str] = mapped_column(String(20))
    product_id: Mapped[int | None]
    amount: Mapped[Decimal] = mapped_column(Amount)
    currency: Mapped[str] = mapped_column(String(3))
    estimated: Mapped[bool] = mapped_column(Boolean, default=True)
    requested_by: Mapped[UUID | None] = mapped_column(Uuid)
    policy_id: Mapped[UUID | None] = mapped_column(Uuid)
    reference: Mapped[str | None] = mapped_column(String(100))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        Index("uq_top_ups_unsettled_iccid", "iccid", unique=True, postgresql_where=UNSETTLED_ROWS),
        Index("uq_top_ups_order_iccid", "order_number", "iccid", unique=True, postgresql_where=ORDERED_ROWS),
        Index("uq_top_ups_reference_iccid", "reference", "iccid", unique=True, postgresql_where=REFERENCED),
        Index("ix_top_ups_owner_id", "organization_id", "id"),
        Index("ix_top_ups_owner_created", "organization_id", "created_at"),
        Index("ix_top_ups_iccid_id", "iccid", "id"),
        Index("ix_top_ups_created", "created_at"),
        Index("ix_top_ups_policy_created", "policy_id", "created_at", postgresql_where=POLICY_ROWS),
        Index("ix_top_ups_due_by_owner", "organization_id", "next_look_at", postgresql_where=PENDING_ROWS),
        Index("ix_top_ups_failed", "settled_at", postgresql_where=FAILED_ROWS),
        Index(
            "ix_top_ups_unordered_by_owner", "organization_id", "id", postgresql_where=FAILED_UNORDERED_ROWS
        ),
        Index("ix_top_ups_priced", "kind", "created_at", postgresql_where=text("NOT estimated")),
    )

    def blocks(self, owner: UUID | None) -> bool:
        """Whether this pending purchase is in the way of another one for the SIM by its present owner.

        An unsettled one is, whoever made it: the carrier is asked for a SIM one by one. An order that a
        previous owner has not paid yet is that one's affair.
        """
        return self.organization_id == owner or self.state in UNSETTLED

    def set_price(self, amount: Decimal, currency: str) -> None:
        self.amount, self.currency, self.estimated = amount, currency, False
