"""Sends wanted changes to the carrier, checks until they show there, and handles drift.

All state is in the database: a worker that dies leaves leases that run out, and sending a change twice does
no harm. A change that the carrier accepted counts only once the carrier shows it.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.availability import unexpected
from fleet_kit.database import Sessions
from fleet_kit.errors import FleetError
from fleet_kit.scope import EVERYTHING
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierOperationUnavailable,
    CarrierRejected,
    CarrierSimNotFound,
    CarrierUnavailable,
)
from sim_service.carrier.fair_share import share_of
from sim_service.carrier.models import CarrierSim, SimChange
from sim_service.inventory.sims.models import Sim
from sim_service.inventory.sims.service import SimService
from sim_service.lifecycle.actions.drift import DriftPolicy, handle_drift
from sim_service.lifecycle.actions.leases import LeasedSim, lease_next_sim
from sim_service.lifecycle.actions.models import ActionKind, ActionState, SimAction, wanted_parts
from sim_service.lifecycle.actions.repository import ActionRepository
from sim_service.work.jobs.handle import JobLease

log = structlog.get_logger(__name__)

FINISHED = Counter("sim_actions_total", "Changes of SIMs by what became of them.", ["what", "outcome"])
_FINAL = (CarrierRejected, CarrierOperationUnavailable, CarrierSimNotFound)
"""Failures of a change for which a retry is pointless."""


@dataclass(slots=True)
class CarrierAnswer:
    """`accepted` and `refused` parts of the change, the SIM as read afterwards, and what failed."""

    accepted: set[str] = field(default_factory=set)
    refused: dict[str, FleetError] = field(default_factory=dict)
    sim: CarrierSim | None = None
    failure: FleetError | None = None


class ActionReconciler:
    """`lease`: seconds until another worker may take over; `max_attempts`: then an action has failed."""

    def __init__(
        self,
        sessions: Sessions,
        carrier: Carrier,
        *,
        lease: float,
        max_attempts: int,
        drift: DriftPolicy,
        parallel: int = 4,
        poll: float = 1.0,
    ) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._lease, self._max_attempts, self._drift = timedelta(seconds=lease), max_attempts, drift
        self._parallel, self._poll = parallel, poll
        self._asking = asyncio.Lock()

    async def run(self) -> None:
        """Work until cancelled, on so many SIMs at once; a database that is unavailable is waited for.

        Of several loops one prefers what nobody waits for: who changes SIM after SIM by requests would keep
        everybody's jobs and drift checks waiting for good.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(self._parallel):
                group.create_task(self._loop(background_first=number == 1))

    async def run_job(self, lease: JobLease) -> None:
        """The handler of reconcile jobs: everything that waits for its next attempt is tried now."""
        async with self._sessions.begin() as session:
            await ActionRepository(session, EVERYTHING).make_due(datetime.now(UTC))
        while await self.once():
            async with lease.sessions.begin() as session:
                job = await lease.lock_job(session)
                job.done += 1

    async def once(self) -> bool:
        """Take one SIM and do what is due for it; False if there is none."""
        leased = await lease_next_sim(self._sessions, self._lease)
        if leased is None:
            return False
        await self._reconcile(leased)
        return True

    async def _loop(self, *, background_first: bool) -> None:
        while True:
            try:
                await self._reconcile(await self._wait_for_sim(background_first))
            except Exception as error:
                # Whatever it is, the other SIMs go on; this one is tried again when its lease has expired.
                log.warning("a SIM was not reconciled", error=repr(error), exc_info=unexpected(error))
                await asyncio.sleep(self._poll)

    async def _wait_for_sim(self, background_first: bool) -> LeasedSim:
        """Lease a SIM as soon as one is due. One loop at a time asks the database; the others wait."""
        async with self._asking:
            while True:
                leased = await lease_next_sim(self._sessions, self._lease, background_first=background_first)
                if leased is not None:
                    return leased
                await asyncio.sleep(self._poll)

    async def _reconcile(self, leased: LeasedSim) -> None:
        with share_of(leased.organization_id):
            answer = await self._exchange(leased)
        async with self._sessions.begin() as session:
            await self._settle(session, leased, answer)

    async def _exchange(self, leased: LeasedSim) -> CarrierAnswer:
        """Send the change, if there is one, and read the SIM; ends before the lease does."""
        answer = CarrierAnswer()
        try:
            async with asyncio.timeout(self._lease.total_seconds() * 0.8):
                if leased.change is not None:
                    await self._send(leased, leased.change, answer)
                answer.sim = await self._carrier.get_sim(leased.iccid, priority=leased.priority)
        except FleetError as failure:
            answer.failure = failure
        except TimeoutError:
            answer.failure = CarrierUnavailable("the carrier took too long")
        return answer

    async def _send(self, leased: LeasedSim, change: SimChange, answer: CarrierAnswer) -> None:
        """In one request; if that is refused, each part by itself, as the others may be accepted."""
        parts = wanted_parts(change)
        try:
            await self._carrier.change_sim(leased.iccid, change, priority=leased.priority)
            answer.accepted.update(parts)
        except CarrierRejected:
            if len(parts) == 1:
                raise
            for what, wanted in parts.items():
                await self._send_part(leased, what, wanted, answer)

    async def _send_part(
        self, leased: LeasedSim, what: ActionKind, wanted: Any, answer: CarrierAnswer
    ) -> None:
        part = SimChange(**{what: wanted})
        try:
            await self._carrier.change_sim(leased.iccid, part, priority=leased.priority)
            answer.accepted.add(what)
        except CarrierRejected as refusal:
            answer.refused[what] = refusal

    async def _settle(self, session: AsyncSession, leased: LeasedSim, answer: CarrierAnswer) -> None:
        sims, actions = SimService(session, EVERYTHING), ActionRepository(session, EVERYTHING)
        if answer.sim is not None:
            await sims.update_from_carrier([answer.sim], self._carrier.name)
        sim = await sims.get(leased.iccid, for_update=True)
        if answer.sim is not None:
            sim.mark_synced()
        hidden = sim.label_hidden
        for action in await actions.open([leased.iccid]):
            if action.id in leased.action_ids:
                self._apply(sim, action, leased, answer)
        await session.flush()
        if answer.sim is not None and hidden and not sim.label_hidden:
            await sims.update_from_carrier([answer.sim], self._carrier.name)
        if sim.drift_due_at is not None:
            await handle_drift(session, sim, answer.sim, self._drift)
        await actions.release_leases(leased.action_ids, leased.until)

    def _apply(self, sim: Sim, action: SimAction, leased: LeasedSim, answer: CarrierAnswer) -> None:
        was_sent = leased.change is not None and action.to_send(datetime.now(UTC))
        accepted = action.what in answer.accepted
        failure = answer.refused.get(action.what, answer.failure)
        if accepted and was_sent:
            action.sent()
        if answer.sim is not None and action.shows_in(answer.sim):
            action.finish(ActionState.CONFIRMED)
        elif was_sent and not accepted and isinstance(failure, _FINAL):
            action.finish(ActionState.FAILED, _in_words(failure))
        else:
            action.retry_later(_in_words(failure), max_attempts=self._max_attempts)
        if action.is_open:
            return
        FINISHED.labels(action.what, action.state).inc()
        if action.what == ActionKind.STATUS:
            _close(sim, action)
        elif action.what == ActionKind.LABEL and action.state == ActionState.CONFIRMED:
            sim.label_hidden = False  # it is its owner's own by now


def _close(sim: Sim, action: SimAction) -> None:
    if action.state == ActionState.CONFIRMED:
        sim.settle(sim.desired_status)
    else:
        sim.give_up()


def _in_words(failure: FleetError | None) -> str:
    if failure is None:
        return "the carrier took it on but does not show it yet"
    said = failure.details.get("message") or failure.details.get("carrier")
    return f"{failure.code}: {failure.message}" + (f" ({said})" if isinstance(said, str) else "")
