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
from sim_service.billing.budgets.service import Allowance, BudgetService
from sim_service.billing.products.service import Quote, quote
from sim_service.billing.purchases.models import ABANDON_AFTER, UNSETTLED, PurchaseState
from sim_service.billing.topups.models import PurchaseKind, TopUp
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.carrier.models import PaymentMethod, QuotaKind
from sim_service.grants.models import Switch
from sim_service.grants.service import NOT_GRANTED
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import owner_of
from sim_service.settings import Settings
from sim_service.usage.quotas.queries import stored_quotas

_SWITCHES = {PurchaseKind.TOP_UP: Switch.TOP_UPS, PurchaseKind.EXTENSION: Switch.EXTENSIONS}


@dataclass(frozen=True, slots=True)
class Prices:
    """What purchases for a SIM are expected to cost while no order has shown it; gross.

    `tax_percent`: added to the net prices of the catalogue.
    """

    top_up: Decimal
    extension: Decimal
    currency: str
    tax_percent: Decimal


def prices_of(settings: Settings) -> Prices:
    return Prices(
        top_up=settings.topup_price,
        extension=settings.extension_price,
        currency=settings.topup_currency,
        tax_percent=settings.purchase_tax_percent,
    )


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
    """Enters purchases in one transaction; the caller holds the locks of their SIMs."""

    def __init__(self, session: AsyncSession, prices: Prices) -> None:
        self._session, self._prices = session, prices
        self._rows = TopUpRepository(session, EVERYTHING)
        self._allowances: dict[UUID, Allowance] = {}

    async def price(self, kind: PurchaseKind, product_id: int | None = None) -> Quote:
        """The expected price: the catalogue's for a product, the last known one, or the configured one.

        Raises 422 for a product that is not offered, Conflict PRICE_UNKNOWN.
        """
        if product_id is not None:
            return await quote(self._session, [(product_id, 1)], self._prices.tax_percent)
        last = await self._rows.last_price(kind)
        if last is not None:
            return Quote(*last)
        prices = self._prices
        return Quote(prices.extension if kind == PurchaseKind.EXTENSION else prices.top_up, prices.currency)

    async def enter(self, sims: Sequence[Sim], purchase: TopUpRequest) -> PlannedTopUps:
        """Enter a purchase for each SIM that has none open, as far as its owner's grant goes."""
        iccids = [sim.iccid for sim in sims]
        planned, known = PlannedTopUps(), {}
        if purchase.reference is not None:
            known = {row.iccid: row for row in await self._rows.referred(purchase.reference, iccids)}
        planned.known = list(known.values())
        open_rows = await self._in_the_way(sims)
        price = await self.price(purchase.kind, purchase.product_id)
        before, switch = await self._before(iccids), _SWITCHES[purchase.kind]
        owners = {sim.organization_id for sim in sims} | {row.organization_id for row in planned.known}
        for owner in sorted(owner for owner in owners if owner is not None):
            await self._allowance(owner)  # locked in one order: others may buy for the same owners
            await self._rows.forget_failed(owner)
        await self._fail_ungranted(planned.known, switch)
        for sim in sims:
            if sim.iccid in known:
                continue
            try:
                refuse_second(open_rows.get(sim.iccid), purchase, sim.organization_id)
                allowance = await self._allowance(owner_of(sim))
                allowance.take(switch, price.amount, price.currency)
                row = _row(sim, purchase, price, allowance.at)
                row.before = before.get(sim.iccid)
                planned.made.append(row)
            except FleetError as error:
                planned.refused[sim.iccid] = error
        for row in planned.made:
            self._rows.add(row)
        await self._session.flush()
        return planned

    async def _in_the_way(self, sims: Sequence[Sim]) -> dict[str, TopUp]:
        owners = {sim.iccid: sim.organization_id for sim in sims}
        pending = [row for row in await self._rows.pending([*owners]) if row.blocks(owners[row.iccid])]
        # Of several of one SIM the unsettled one comes last, so that it counts: it is always in the way.
        return {row.iccid: row for row in sorted(pending, key=lambda row: row.state in UNSETTLED)}

    async def _allowance(self, owner: UUID) -> Allowance:
        if owner not in self._allowances:
            self._allowances[owner] = await BudgetService(self._session).reserve(owner)
        return self._allowances[owner]

    async def _fail_ungranted(self, known: Sequence[TopUp], switch: Switch) -> None:
        """End what was entered before and is not granted any more; the carrier was not asked for it yet."""
        unsent = [row.id for row in known if row.state == PurchaseState.REQUESTED]
        for row in await self._rows.all_of(unsent, for_update=True) if unsent else ():
            if row.state != PurchaseState.REQUESTED:
                continue
            if not (await self._allowance(row.organization_id)).grant.allows(switch):
                row.mark_failed(NOT_GRANTED)

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


def refuse_second(pending: TopUp | None, purchase: TopUpRequest, owner: UUID | None) -> None:
    """Raise Conflict while a purchase for the SIM is under way; of a previous owner's it tells nothing."""
    if pending is None or (purchase.even_if_ordered and pending.state not in UNSETTLED):
        return
    details = {"iccid": pending.iccid}
    if pending.organization_id == owner:
        details |= {"id": str(pending.id), "state": pending.state}
    raise Conflict("another purchase for this SIM is under way", code="TOPUP_IN_PROGRESS", details=details)


def _row(sim: Sim, purchase: TopUpRequest, price: Quote, counted_at: datetime) -> TopUp:
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
        next_poll_at=datetime.now(UTC) + ABANDON_AFTER,
        created_at=counted_at,
    )
