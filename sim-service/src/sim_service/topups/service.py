"""The rules of purchases: written down before the carrier is asked, one open for a SIM, never repeated."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, FleetError, NotFound
from fleet_kit.keyset import Found
from fleet_kit.outbox import Outbox
from fleet_kit.pagination import PageParams
from fleet_kit.principal import Principal, Role
from fleet_kit.scope import Scope
from sim_service.attempts import BY_HAND
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import CarrierOperationUnavailable
from sim_service.carrier.facts import Priority, QuotaKind
from sim_service.quotas.service import QuotaService
from sim_service.repeats import Repeat
from sim_service.sims.service import SimService, not_found, owner_of
from sim_service.topups import events
from sim_service.topups.ledger import Ledger, Prices, Purchase
from sim_service.topups.models import TopUp, TopUpState
from sim_service.topups.repository import MonthRow, TopUpFilter, TopUpRepository
from sim_service.topups.sending import Sender

MOST_TOGETHER = 100
"""SIMs in one order: small enough for one answer to tell all of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
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

    async def one(self, iccid: str, purchase: Purchase, repeat: Repeat) -> TopUp:
        """Buy for one SIM while somebody waits.

        Raises Conflict TOPUP_IN_PROGRESS, or the carrier's refusal. With the key of an earlier request it is
        that one's purchase, unless the purchase failed: then it is tried anew.
        """
        with suppress(FleetError):
            await self._quotas.read(iccid, QuotaKind.DATA)  # to tell later whether volume was added
        async with self._sessions.begin() as session:
            row, new = await self._intend_once(session, iccid, purchase, repeat)
        if new:
            await Sender(self._sessions, self._carrier, Priority.PEOPLE).one(row)
        return await self.get(row.id)

    async def many(self, iccids: Sequence[str], purchase: Purchase) -> list[Outcome]:
        """Buy for many SIMs in the background, in orders of up to MOST_TOGETHER.

        With a `reference` it may be called again after a crash: what was entered then is not bought again.
        """
        outcomes: list[Outcome] = []
        wanted = list(dict.fromkeys(iccids))
        for start in range(0, len(wanted), MOST_TOGETHER):
            outcomes += await self._batch(wanted[start : start + MOST_TOGETHER], purchase)
        return outcomes

    async def entered(self, iccids: Sequence[str], purchase: Purchase) -> list[Outcome]:
        """What was entered under the purchase's reference, for those SIMs that have it; buys nothing."""
        async with self._sessions() as session:
            rows = await TopUpRepository(session, self._scope).referred(purchase.reference or "", iccids)
        return [Outcome(row.iccid, row) for row in rows]

    async def get(self, top_up_id: UUID) -> TopUp:
        """One purchase; raises NotFound."""
        async with self._sessions() as session:
            row = await TopUpRepository(session, self._scope).get(top_up_id)
        if row is None:
            raise NotFound("no such purchase", code="TOPUP_NOT_FOUND")
        return row

    async def settle(self, top_up_id: UUID, state: TopUpState, user: Principal) -> TopUp:
        """Settle by hand what nobody can look up any more; raises NotFound, Forbidden, or Conflict.

        Only an unknown purchase, or one whose order the carrier no longer shows, may be settled so. Raises
        the carrier's errors where it cannot be asked for the order.
        """
        seen = await self.get(top_up_id)
        user.require(Role.ADMIN)
        await self._ensure_lost(seen)
        async with self._sessions.begin() as session:
            (row,) = await TopUpRepository(session, self._scope).all_of([top_up_id], for_update=True)
            if row.state != seen.state:
                raise _not_open(row)
            if state == TopUpState.BOOKED and row.booked():
                await Outbox(session).add(*events.booked(row))
            elif state == TopUpState.FAILED:
                row.failed(BY_HAND)
        return await self.get(top_up_id)

    async def _ensure_lost(self, row: TopUp) -> None:
        if row.state not in {TopUpState.UNKNOWN, TopUpState.ORDERED}:
            raise _not_open(row)
        if row.order_number is None:
            return
        try:
            order = await self._carrier.get_order(row.order_number, priority=Priority.PEOPLE)
        except (NotFound, CarrierOperationUnavailable):
            return
        details = {"order_number": order.number, "state": order.state}
        raise Conflict("the carrier shows its order", code="TOPUP_ORDER_SHOWN", details=details)

    async def find(self, wanted: TopUpFilter, paging: PageParams) -> Found[TopUp]:
        """A page of the ledger, newest first; of one SIM also raises NotFound."""
        async with self._sessions() as session:
            if wanted.iccid is not None:
                await SimService(session, self._scope).get(wanted.iccid)
            return await TopUpRepository(session, self._scope).page(wanted, paging)

    async def months(self, since: datetime, until: datetime) -> Sequence[MonthRow]:
        """Sums of purchases made in [since, until) by month."""
        async with self._sessions() as session:
            return await TopUpRepository(session, self._scope).months(since, until)

    async def _intend_once(
        self, session: AsyncSession, iccid: str, purchase: Purchase, repeat: Repeat
    ) -> tuple[TopUp, bool]:
        sim = await SimService(session, self._scope).get(iccid, for_update=True)
        owner = str(owner_of(sim))
        once = repeat.within(session)
        before: Any = await once.replay(owner)
        if before is not None:
            row = await TopUpRepository(session, self._scope).get(UUID(before["id"]))
            if row is not None and row.state != TopUpState.FAILED:
                return row, False
        intents = await Ledger(session, self._prices).intend([sim], purchase)
        for error in intents.refused.values():
            raise error
        await once.remember(owner, {"id": str(intents.made[0].id)})
        return intents.made[0], True

    async def _batch(self, iccids: Sequence[str], purchase: Purchase) -> list[Outcome]:
        async with self._sessions.begin() as session:
            found = {sim.iccid: sim for sim in await SimService(session, self._scope).locked(iccids)}
            intents = await Ledger(session, self._prices).intend(list(found.values()), purchase)
        left = [row for row in intents.known if row.state == TopUpState.REQUESTED]
        await self.send([*intents.made, *left])
        async with self._sessions() as session:
            ids = [row.id for row in (*intents.made, *intents.known)]
            rows = {row.iccid: row for row in await TopUpRepository(session, self._scope).all_of(ids)}
        missing = {iccid: not_found([iccid]) for iccid in iccids if iccid not in found}
        errors: dict[str, FleetError] = missing | intents.refused
        return [Outcome(iccid, rows.get(iccid), errors.get(iccid)) for iccid in iccids]

    async def send(self, rows: Sequence[TopUp]) -> None:
        """Ask the carrier for intents of one purchase in the background; refusals are noted in the ledger."""
        sender = Sender(self._sessions, self._carrier, Priority.BACKGROUND)
        if len(rows) > 1:
            await sender.together(rows)
        elif rows:
            with suppress(FleetError):
                await sender.one(rows[0])


def _not_open(row: TopUp) -> Conflict:
    return Conflict("the purchase is not open", code="TOPUP_SETTLED", details={"state": row.state})
