"""The rules of purchases: written down before the carrier is asked, one open for a SIM, never repeated."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, FleetError, Forbidden, NotFound
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal
from fleet_kit.scope import Scope
from sim_service.billing.products.service import ProductService
from sim_service.billing.purchases.models import BY_HAND, PurchaseState
from sim_service.billing.topups import events
from sim_service.billing.topups.ledger import Ledger, Prices, TopUpRequest
from sim_service.billing.topups.models import TopUp
from sim_service.billing.topups.repository import TopUpRepository
from sim_service.billing.topups.submission import TopUpSender
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierOperationUnavailable
from sim_service.carrier.models import Priority, QuotaKind
from sim_service.carrier.time_limit import optional_call
from sim_service.inventory.sims.service import SimService, not_found, owner_of
from sim_service.platform.idempotency import IdempotencyContext
from sim_service.usage.quotas.service import QuotaService

MOST_TOGETHER = 100
"""SIMs in one order: few enough for one answer to cover all."""


@dataclass(frozen=True, slots=True)
class TopUpResult:
    """What became of one SIM's purchase: its row in the ledger, or why it has none."""

    iccid: str
    top_up: TopUp | None = None
    error: FleetError | None = None


class TopUpService:
    """Purchases as one organisation sees them. `fresh`: seconds for which a quota is not asked for again."""

    def __init__(
        self, sessions: Sessions, scope: Scope, carrier: Carrier, *, prices: Prices, fresh: float
    ) -> None:
        self._sessions, self._scope, self._carrier, self._prices = sessions, scope, carrier, prices
        self._quotas = QuotaService(sessions, scope, carrier, fresh=fresh)

    async def check(self, iccid: str) -> None:
        """Raise NotFound for a SIM out of scope, Conflict for an unclaimed one."""
        async with self._sessions() as session:
            owner_of(await SimService(session, self._scope).get(iccid))

    async def one(self, iccid: str, purchase: TopUpRequest, idempotency: IdempotencyContext) -> TopUp:
        """Buy for one SIM while somebody waits.

        Raises Conflict TOPUP_IN_PROGRESS or BUDGET_EXCEEDED, Forbidden NOT_GRANTED, or the carrier's refusal.
        With the key of an earlier request it is that one's purchase, unless the purchase failed: then it is
        tried anew.
        """
        if purchase.product_id is not None:
            await ProductService(self._sessions, self._carrier, fresh=0).ensure_read()
        with suppress(FleetError), optional_call():
            await self._quotas.read(iccid, QuotaKind.DATA)  # so that added volume can be recognised later
        async with self._sessions.begin() as session:
            row, new = await self._enter_once(session, iccid, purchase, idempotency)
        if new:
            await TopUpSender(self._sessions, self._carrier, Priority.INTERACTIVE).one(row)
        return await self.get(row.id)

    async def many(self, iccids: Sequence[str], purchase: TopUpRequest) -> list[TopUpResult]:
        """Buy for many SIMs in the background; again with the same `reference`, it buys nothing twice."""
        outcomes: list[TopUpResult] = []
        wanted = list(dict.fromkeys(iccids))
        for start in range(0, len(wanted), MOST_TOGETHER):
            outcomes += await self._batch(wanted[start : start + MOST_TOGETHER], purchase)
        return outcomes

    async def entered(self, iccids: Sequence[str], purchase: TopUpRequest) -> list[TopUpResult]:
        """What was entered under the purchase's reference, for those SIMs that have it; buys nothing."""
        async with self._sessions() as session:
            rows = await TopUpRepository(session, self._scope).referred(purchase.reference or "", iccids)
        return [TopUpResult(row.iccid, row) for row in rows]

    async def get(self, top_up_id: UUID) -> TopUp:
        async with self._sessions() as session:
            row = await TopUpRepository(session, self._scope).get(top_up_id)
        if row is None:
            raise NotFound("no such purchase", code="TOPUP_NOT_FOUND")
        return row

    async def settle(self, top_up_id: UUID, state: PurchaseState, user: Principal) -> TopUp:
        """Settle by hand what the carrier no longer shows; raises NotFound, Forbidden, Conflict.

        For the platform administrator: what failed gives its money back to the owner's budget.
        """
        seen = await self.get(top_up_id)
        if not user.is_admin:
            raise Forbidden("the platform administrator settles purchases")
        await self._ensure_lost(seen)
        async with self._sessions.begin() as session:
            (row,) = await TopUpRepository(session, self._scope).all_of([top_up_id], for_update=True)
            if row.state != seen.state:
                raise _not_open(row)
            if state == PurchaseState.BOOKED and row.mark_booked():
                await Outbox(session).add(*events.booked(row))
            elif state == PurchaseState.FAILED:
                row.mark_failed(BY_HAND)
        return await self.get(top_up_id)

    async def _ensure_lost(self, row: TopUp) -> None:
        if row.state not in {PurchaseState.UNKNOWN, PurchaseState.ORDERED}:
            raise _not_open(row)
        if row.order_number is None:
            return
        try:
            order = await self._carrier.get_order(row.order_number, priority=Priority.INTERACTIVE)
        except (NotFound, CarrierOperationUnavailable):
            return
        details = {"order_number": order.number, "state": order.state}
        raise Conflict("the carrier shows its order", code="TOPUP_ORDER_SHOWN", details=details)

    async def find(self, wanted: Mapping[str, Any], paging: PageParams) -> PageResult[TopUp]:
        """A page of the ledger; `wanted`: columns with their values. Raises NotFound for its `iccid`."""
        async with self._sessions() as session:
            if "iccid" in wanted:
                await SimService(session, self._scope).get(wanted["iccid"])
            return await TopUpRepository(session, self._scope).page(wanted, paging)

    async def months(self, since: datetime, until: datetime) -> Sequence[dict[str, Any]]:
        async with self._sessions() as session:
            return await TopUpRepository(session, self._scope).months(since, until)

    async def _enter_once(
        self, session: AsyncSession, iccid: str, purchase: TopUpRequest, idempotency: IdempotencyContext
    ) -> tuple[TopUp, bool]:
        sim = await SimService(session, self._scope).get(iccid, for_update=True)
        owner = str(owner_of(sim))
        once = idempotency.within(session)
        before: Any = await once.replay(owner)
        if before is not None:
            row = await TopUpRepository(session, self._scope).get(UUID(before["id"]))
            if row is not None and row.state != PurchaseState.FAILED:
                return row, False
        planned = await Ledger(session, self._prices).enter([sim], purchase)
        for error in planned.refused.values():
            raise error
        await once.remember(owner, {"id": str(planned.made[0].id)})
        return planned.made[0], True

    async def _batch(self, iccids: Sequence[str], purchase: TopUpRequest) -> list[TopUpResult]:
        async with self._sessions.begin() as session:
            found = {sim.iccid: sim for sim in await SimService(session, self._scope).locked(iccids)}
            planned = await Ledger(session, self._prices).enter(list(found.values()), purchase)
        left = [row for row in planned.known if row.state == PurchaseState.REQUESTED]
        await self.send([*planned.made, *left])
        async with self._sessions() as session:
            ids = [row.id for row in (*planned.made, *planned.known)]
            stored = await TopUpRepository(session, self._scope).all_of(ids)
        # As they were, where newer failures have pushed them out of the ledger meanwhile.
        rows = {row.iccid: row for row in (*planned.made, *planned.known, *stored)}
        missing = {iccid: not_found([iccid]) for iccid in iccids if iccid not in found}
        errors: dict[str, FleetError] = missing | planned.refused
        return [TopUpResult(iccid, rows.get(iccid), errors.get(iccid)) for iccid in iccids]

    async def send(self, rows: Sequence[TopUp]) -> None:
        """Ask the carrier for rows of one purchase in the background; refusals are only noted."""
        sender = TopUpSender(self._sessions, self._carrier, Priority.BACKGROUND)
        if len(rows) > 1:
            await sender.together(rows)
        elif rows:
            with suppress(FleetError):
                await sender.one(rows[0])


def _not_open(row: TopUp) -> Conflict:
    return Conflict("the purchase is not open", code="TOPUP_SETTLED", details={"state": row.state})
