"""The worker's side of changes: tell the carrier, look until it shows, judge what changed by itself.

Nothing is remembered outside the database: a worker that dies leaves leases that run out, and telling the
carrier twice does no harm. What the carrier took on counts only once it shows there.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

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
from sim_service.carrier.facts import CarrierSim, SimChange
from sim_service.jobs.runner import Held
from sim_service.lifecycle.drift import DriftPolicy, judge
from sim_service.lifecycle.leases import Work, take_work
from sim_service.lifecycle.models import ActionKind, ActionState, SimAction
from sim_service.lifecycle.repository import ActionRepository
from sim_service.sims.models import Sim
from sim_service.sims.service import SimService

log = structlog.get_logger(__name__)

FINISHED = Counter("sim_actions_total", "Changes of SIMs by what became of them.", ["what", "outcome"])
_FINAL = (CarrierRejected, CarrierOperationUnavailable, CarrierSimNotFound)
"""Answers to a change that no repetition would better."""


@dataclass(slots=True)
class Outcome:
    """What the carrier said: what it took on and what not, how the SIM is, and what went wrong."""

    taken: set[str] = field(default_factory=set)
    refused: dict[str, FleetError] = field(default_factory=dict)
    facts: CarrierSim | None = None
    failure: FleetError | None = None


class Reconciler:
    """Brings SIMs to what is wanted of them.

    `lease`: seconds until another worker may take over; `most_attempts`: after so many an action has failed.
    """

    def __init__(
        self,
        sessions: Sessions,
        carrier: Carrier,
        *,
        lease: float,
        most_attempts: int,
        drift: DriftPolicy,
        parallel: int = 4,
        poll: float = 1.0,
    ) -> None:
        self._sessions, self._carrier = sessions, carrier
        self._lease, self._most_attempts, self._drift = timedelta(seconds=lease), most_attempts, drift
        self._parallel, self._poll = parallel, poll

    async def run(self) -> None:
        """Work until cancelled, on so many SIMs at once; a database that is away is waited for."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._parallel):
                group.create_task(self._loop())

    async def run_job(self, held: Held) -> None:
        """The handler of reconcile jobs: everything that waits for its next attempt is tried now."""
        async with self._sessions.begin() as session:
            await ActionRepository(session, EVERYTHING).hasten(datetime.now(UTC))
        while await self.once():
            async with held.sessions.begin() as session:
                job = await held.in_transaction(session)
                job.done += 1

    async def once(self) -> bool:
        """Take one SIM and do what is due for it; False if there is none."""
        work = await take_work(self._sessions, self._lease)
        if work is None:
            return False
        outcome = await self._ask(work)
        async with self._sessions.begin() as session:
            await self._settle(session, work, outcome)
        return True

    async def _loop(self) -> None:
        while True:
            try:
                worked = await self.once()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                log.warning("the database is away", error=repr(error))
                worked = False
            if not worked:
                await asyncio.sleep(self._poll)

    async def _ask(self, work: Work) -> Outcome:
        """Tell the carrier what it does not know yet and look at the SIM; ends before the lease does."""
        outcome = Outcome()
        try:
            async with asyncio.timeout(self._lease.total_seconds() * 0.8):
                if work.change is not None:
                    await self._tell(work, work.change, outcome)
                outcome.facts = await self._carrier.get_sim(work.iccid, priority=work.priority)
        except FleetError as failure:
            outcome.failure = failure
        except TimeoutError:
            outcome.failure = CarrierUnavailable("the carrier took too long")
        return outcome

    async def _tell(self, work: Work, change: SimChange, outcome: Outcome) -> None:
        """All in one request; what is refused together need not be part by part."""
        parts = _parts(change)
        try:
            await self._carrier.change_sim(work.iccid, change, priority=work.priority)
            outcome.taken.update(parts)
        except CarrierRejected:
            if len(parts) == 1:
                raise
            for what, part in parts.items():
                await self._tell_part(work, what, part, outcome)

    async def _tell_part(self, work: Work, what: ActionKind, part: SimChange, outcome: Outcome) -> None:
        try:
            await self._carrier.change_sim(work.iccid, part, priority=work.priority)
            outcome.taken.add(what)
        except CarrierRejected as refusal:
            outcome.refused[what] = refusal

    async def _settle(self, session: AsyncSession, work: Work, outcome: Outcome) -> None:
        sims, actions = SimService(session, EVERYTHING), ActionRepository(session, EVERYTHING)
        if outcome.facts is not None:
            await sims.take_over([outcome.facts], self._carrier.name)
        sim = await sims.get(work.iccid, for_update=True)
        if outcome.facts is not None:
            sim.vouch()
        for action in await actions.open([work.iccid]):
            if action.id in work.action_ids:
                self._judge(sim, action, work, outcome)
        await session.flush()
        if sim.drift_due_at is not None:
            await judge(session, sim, outcome.facts, self._drift)
        await actions.give_back(work.action_ids)

    def _judge(self, sim: Sim, action: SimAction, work: Work, outcome: Outcome) -> None:
        told = work.change is not None and action.to_send(datetime.now(UTC))
        taken = action.what in outcome.taken
        failure = outcome.refused.get(action.what, outcome.failure)
        if taken and told:
            action.sent()
        if outcome.facts is not None and action.shows_in(outcome.facts):
            action.finish(ActionState.CONFIRMED)
        elif told and not taken and isinstance(failure, _FINAL):
            action.finish(ActionState.FAILED, _in_words(failure))
        else:
            action.again(_in_words(failure), most_attempts=self._most_attempts)
        if action.is_open:
            return
        FINISHED.labels(action.what, action.state).inc()
        if action.what == ActionKind.STATUS:
            _close(sim, action)


def _parts(change: SimChange) -> dict[ActionKind, SimChange]:
    """Each part of a change as a change of its own."""
    named = {
        ActionKind.STATUS: SimChange(status=change.status),
        ActionKind.LABEL: SimChange(label=change.label),
        ActionKind.IMEI_LOCK: SimChange(imei_lock=change.imei_lock),
    }
    return {what: part for what, part in named.items() if part != SimChange()}


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
