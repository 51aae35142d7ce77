"""The steps that cost money: top-ups and messages."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.billing.purchases.models import PurchaseState
from sim_service.billing.topups.ledger import Prices, TopUpRequest
from sim_service.billing.topups.service import TopUpResult, TopUpService
from sim_service.bulk.steps import StepResult, StepResults
from sim_service.carrier.base import Carrier
from sim_service.inventory.sims.service import SimService, owner_of
from sim_service.messages.sms.models import State
from sim_service.messages.sms.service import Draft, SmsService
from sim_service.work.job_items.models import ItemState, JobItem
from sim_service.work.jobs.handle import JobLease


class TopUpStep:
    """Buys volume in orders for many SIMs; final when the carrier has the order or refused it.

    The purchase carries the job's id as reference, so that the ledger finds what a worker that died has
    entered; the ledger's resolver, not the job, learns what became of a lost answer.
    """

    def __init__(self, carrier: Carrier, prices: Prices, purchase: TopUpRequest) -> None:
        self._carrier, self._prices, self._purchase = carrier, prices, purchase

    async def start(self, session: AsyncSession, lease: JobLease, iccid: str) -> StepResult:
        """Only checks: the purchases are made together in `poll`, where no transaction is open."""
        owner_of(await SimService(session, lease.scope).get(iccid))
        return StepResult(ItemState.WORKING)

    async def poll(self, lease: JobLease, items: Sequence[JobItem], *, may_start: bool) -> StepResults:
        """Buy what was not bought, and see what became of the rest."""
        top_ups = TopUpService(lease.sessions, lease.scope, self._carrier, prices=self._prices, fresh=0)
        numbers = {item.iccid: item.number for item in items}
        purchase = replace(self._purchase, requested_by=lease.requested_by, reference=f"job:{lease.id}")
        if may_start:
            outcomes = await top_ups.many(list(numbers), purchase)
        else:
            outcomes = await top_ups.entered(list(numbers), purchase)
        return {numbers[bought.iccid]: _of_purchase(bought) for bought in outcomes}


_BOUGHT = {
    PurchaseState.UNKNOWN: ItemState.UNKNOWN,
    PurchaseState.ORDERED: ItemState.SUCCEEDED,
    PurchaseState.BOOKED: ItemState.SUCCEEDED,
    PurchaseState.FAILED: ItemState.FAILED,
}


def _of_purchase(bought: TopUpResult) -> StepResult:
    row = bought.top_up
    if row is None:
        return StepResult.failed(bought.error) if bought.error else StepResult(ItemState.WORKING)
    state = _BOUGHT.get(PurchaseState(row.state), ItemState.WORKING)
    result = {"top_up_id": str(row.id), "state": row.state, "order_number": row.order_number}
    return StepResult(state, result, row.reason)


class SmsStep:
    """Sends messages; final when the carrier has them or they are planned for later."""

    def __init__(self, draft: Draft, *, most_parts: int, most_kept: int) -> None:
        self._draft, self._most_parts, self._most_kept = draft, most_parts, most_kept

    async def start(self, session: AsyncSession, lease: JobLease, iccid: str) -> StepResult:
        message = await SmsService(session, lease.scope).write(
            iccid,
            self._draft,
            most_parts=self._most_parts,
            most_kept=self._most_kept,
            requested_by=lease.requested_by,
        )
        state = ItemState.SUCCEEDED if message.state == State.SCHEDULED else ItemState.WORKING
        return StepResult(state, {"message_id": str(message.id), "state": message.state})

    async def poll(self, lease: JobLease, items: Sequence[JobItem], *, may_start: bool) -> StepResults:
        wanted = {UUID((item.result or {})["message_id"]): item.number for item in items}
        async with lease.sessions() as session:
            found = await SmsService(session, lease.scope).some(list(wanted))
            return {
                wanted[message.id]: StepResult(
                    _SAID.get(State(message.state), ItemState.WORKING),
                    {"message_id": str(message.id), "state": message.state},
                    message.error_code,
                    message.error,
                )
                for message in found
            }


_SAID = {
    State.SENT: ItemState.SUCCEEDED,
    State.DELIVERED: ItemState.SUCCEEDED,
    State.UNKNOWN: ItemState.UNKNOWN,
    State.FAILED: ItemState.FAILED,
    State.EXPIRED: ItemState.FAILED,
    State.CANCELLED: ItemState.FAILED,
}
