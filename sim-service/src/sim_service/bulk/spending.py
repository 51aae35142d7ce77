"""The steps that cost money: purchases by the ledger, messages by their own table."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.bulk.steps import Looked, Outcome
from sim_service.carrier.base import Carrier
from sim_service.job_items.models import ItemState, JobItem
from sim_service.jobs.runner import Held
from sim_service.sims.service import SimService, owner_of
from sim_service.sms.models import State
from sim_service.sms.service import Draft, SmsService
from sim_service.topups.ledger import Prices, Purchase
from sim_service.topups.models import TopUpState
from sim_service.topups.service import Outcome as Bought
from sim_service.topups.service import TopUpService


class TopUpStep:
    """Buys volume in orders for many SIMs; over when the carrier has the order or refused it.

    The purchase carries the job's id as reference, so that the ledger finds what a worker that died has
    entered; the ledger's resolver, not the job, learns what became of a lost answer.
    """

    def __init__(self, carrier: Carrier, prices: Prices, purchase: Purchase) -> None:
        self._carrier, self._prices, self._purchase = carrier, prices, purchase

    async def begin(self, session: AsyncSession, held: Held, iccid: str) -> Outcome:
        """Only checks: the purchases are made together in `look`, where no transaction is open."""
        owner_of(await SimService(session, held.scope).get(iccid))
        return Outcome(ItemState.WORKING)

    async def look(self, held: Held, items: Sequence[JobItem], *, go_on: bool) -> Looked:
        """Buy what was not bought, and see what became of the rest."""
        top_ups = TopUpService(held.sessions, held.scope, self._carrier, prices=self._prices, fresh=0)
        numbers = {item.iccid: item.number for item in items}
        purchase = replace(self._purchase, requested_by=held.requested_by, reference=f"job:{held.id}")
        if go_on:
            outcomes = await top_ups.many(list(numbers), purchase)
        else:
            outcomes = await top_ups.entered(list(numbers), purchase)
        return {numbers[bought.iccid]: _of_purchase(bought) for bought in outcomes}


_BOUGHT = {
    TopUpState.UNKNOWN: ItemState.UNKNOWN,
    TopUpState.ORDERED: ItemState.SUCCEEDED,
    TopUpState.BOOKED: ItemState.SUCCEEDED,
    TopUpState.FAILED: ItemState.FAILED,
}


def _of_purchase(bought: Bought) -> Outcome:
    row = bought.top_up
    if row is None:
        return Outcome.failed(bought.error) if bought.error else Outcome(ItemState.WORKING)
    state = _BOUGHT.get(TopUpState(row.state), ItemState.WORKING)
    result = {"top_up_id": str(row.id), "state": row.state, "order_number": row.order_number}
    return Outcome(state, result, row.reason)


class SmsStep:
    """Sends messages; over when the carrier has them or they are planned for later."""

    def __init__(self, draft: Draft, *, most_parts: int) -> None:
        self._draft, self._most_parts = draft, most_parts

    async def begin(self, session: AsyncSession, held: Held, iccid: str) -> Outcome:
        """See Step."""
        message = await SmsService(session, held.scope).write(
            iccid, self._draft, most_parts=self._most_parts, requested_by=held.requested_by
        )
        state = ItemState.SUCCEEDED if message.state == State.SCHEDULED else ItemState.WORKING
        return Outcome(state, {"message_id": str(message.id), "state": message.state})

    async def look(self, held: Held, items: Sequence[JobItem], *, go_on: bool) -> Looked:
        """See Step."""
        wanted = {UUID((item.result or {})["message_id"]): item.number for item in items}
        async with held.sessions() as session:
            found = await SmsService(session, held.scope).some(list(wanted))
            return {
                wanted[message.id]: Outcome(
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
