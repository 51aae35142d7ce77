"""The ledger within one transaction: planned purchases, prices, and what a SIM has open."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict, FleetError
from fleet_kit.ids import uuid7
from fleet_kit.scope import EVERYTHING
from sim_service.billing.purchases.models import ABANDON_AFTER, UNSETTLED
from sim_service.billing.topups.models import PurchaseKind, TopUp
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.carrier.models import PaymentMethod, QuotaKind
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import owner_of
from sim_service.usage.quotas.queries import stored_quotas


@dataclass(frozen=True, slots=True)
class Prices:
    """Gross price of one purchase for a SIM as expected while its order is not known."""

    amount: Decimal
    currency: str
    extension: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TopUpRequest:
    """What to buy for SIMs; `even_if_ordered`: also for one whose earlier order is not booked yet."""

    payment: PaymentMethod
    kind: PurchaseKind = PurchaseKind.TOP_UP
    product_id: int | None = None
    requested_by: UUID | None = None
    policy_id: UUID | None = None
    reference: str | None = None
    even_if_ordered: bool = False


@dataclass(slots=True)
class PlannedTopUps:
    """Purchases that were entered, those found again by their reference, and SIMs that got none."""

    made: list[TopUp] = field(default_factory=list)
    known: list[TopUp] = field(default_factory=list)
    refused: dict[str, FleetError] = field(default_factory=dict)


class Ledger:
    """Enters purchases; the caller holds the locks of their SIMs."""

    def __init__(self, session: AsyncSession, prices: Prices) -> None:
        self._session, self._prices = session, prices
        self._rows = TopUpRepository(session, EVERYTHING)

    async def price(self, kind: PurchaseKind) -> Prices:
        """The expected price: that of the last purchase with a known order, else the configured one."""
        last = await self._rows.last_price(kind)
        if last is not None:
            return Prices(*last)
        if kind == PurchaseKind.EXTENSION and self._prices.extension is not None:
            return Prices(self._prices.extension, self._prices.currency)
        return self._prices

    async def enter(self, sims: Sequence[Sim], purchase: TopUpRequest) -> PlannedTopUps:
        """Enter a purchase for each SIM that has none open."""
        iccids = [sim.iccid for sim in sims]
        planned, known = PlannedTopUps(), {}
        if purchase.reference is not None:
            known = {row.iccid: row for row in await self._rows.referred(purchase.reference, iccids)}
        planned.known = list(known.values())
        # Of several of one SIM the unsettled one comes last, so that it counts: it is always in the way.
        pending = sorted(await self._rows.pending(iccids), key=lambda row: row.state in UNSETTLED)
        open_rows = {row.iccid: row for row in pending}
        price, before = await self.price(purchase.kind), await self._before(iccids)
        for sim in sims:
            if sim.iccid in known:
                continue
            try:
                refuse_second(open_rows.get(sim.iccid), purchase)
                planned.made.append(_row(sim, purchase, price, before.get(sim.iccid)))
            except FleetError as error:
                planned.refused[sim.iccid] = error
        for row in planned.made:
            self._rows.add(row)
        await self._session.flush()
        return planned

    async def _before(self, iccids: Sequence[str]) -> dict[str, dict[str, Any]]:
        stored = await stored_quotas(self._session, iccids, QuotaKind.DATA)
        return {
            quota.iccid: {
                "total": str(quota.total),
                "remaining": str(quota.remaining),
                "expires_at": quota.expires_at.isoformat() if quota.expires_at else None,
            }
            for quota in stored
        }


def refuse_second(pending: TopUp | None, purchase: TopUpRequest) -> None:
    """Raise Conflict while a purchase for the SIM is under way."""
    if pending is None or (purchase.even_if_ordered and pending.state not in UNSETTLED):
        return
    raise Conflict(
        "another purchase for this SIM is under way",
        code="TOPUP_IN_PROGRESS",
        details={"id": str(pending.id), "state": pending.state, "iccid": pending.iccid},
    )


def _row(sim: Sim, purchase: TopUpRequest, price: Prices, before: dict[str, Any] | None) -> TopUp:
    now = datetime.now(UTC)
    return TopUp(
        id=uuid7(),
        organization_id=owner_of(sim),
        iccid=sim.iccid,
        kind=purchase.kind,
        payment_method=purchase.payment,
        product_id=purchase.product_id,
        amount=price.amount,
        currency=price.currency,
        requested_by=purchase.requested_by,
        policy_id=purchase.policy_id,
        reference=purchase.reference,
        before=before,
        next_poll_at=now + ABANDON_AFTER,
        created_at=now,
    )
