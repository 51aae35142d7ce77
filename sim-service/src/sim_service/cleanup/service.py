"""The handler of cleanup jobs: what is old goes, table by table, in transactions of bounded size."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit import idempotency
from fleet_kit.database import Sessions
from fleet_kit.scope import EVERYTHING
from sim_service.events.jobs import EventRetention
from sim_service.jobs.repository import JobRepository
from sim_service.jobs.runner import Held
from sim_service.lifecycle.repository import ActionRepository
from sim_service.policies.repository import PolicyRepository
from sim_service.settings import Settings
from sim_service.sms.repository import SmsRepository

_AT_ONCE = 5_000

Forget = Callable[[], Awaitable[int]]
"""Deletes what is old and returns how many rows went."""


class Cleanup:
    """Works on cleanup jobs. `rules`: what is forgotten, by the name that the job's result gives it."""

    def __init__(self, rules: Mapping[str, Forget]) -> None:
        self._rules = rules

    async def run(self, held: Held) -> None:
        """Follow every rule once; a restarted job finds only what is left."""
        for name, forget in self._rules.items():
            number = await forget()
            async with held.sessions.begin() as session:
                job = await held.in_transaction(session)
                job.count(**{name: number})
                job.done, job.total = min(job.done + 1, len(self._rules)), len(self._rules)


def cleanup(settings: Settings, sessions: Sessions) -> Cleanup:
    """What this service forgets, and after how long."""

    def days(number: int) -> datetime:
        return datetime.now(UTC) - timedelta(days=number)

    async def jobs(session: AsyncSession) -> int:
        return await JobRepository(session, EVERYTHING).forget(days(settings.jobs_kept_days), _AT_ONCE // 50)

    async def keys(session: AsyncSession) -> int:
        before = datetime.now(UTC) - timedelta(hours=settings.idempotency_kept_hours)
        return await idempotency.forget(session, before, _AT_ONCE)

    async def decisions(session: AsyncSession) -> int:
        before = days(settings.policy_decisions_kept_days).date()
        return await PolicyRepository(session, EVERYTHING).forget(before, _AT_ONCE)

    async def actions(session: AsyncSession) -> int:
        return await ActionRepository(session, EVERYTHING).forget(days(settings.action_kept_days), _AT_ONCE)

    async def messages(session: AsyncSession) -> int:
        return await SmsRepository(session, EVERYTHING).forget(days(settings.sms_kept_days), _AT_ONCE)

    rules = {
        "jobs": jobs,
        "idempotency_keys": keys,
        "policy_decisions": decisions,
        "sim_actions": actions,
        "sms_messages": messages,
    }
    events = EventRetention(sessions, days=settings.event_kept_days)
    return Cleanup(
        {name: partial(_until_none, sessions, rule) for name, rule in rules.items()}
        | {"sim_events": events.purge}
    )


async def _until_none(sessions: Sessions, forget: Callable[[AsyncSession], Awaitable[int]]) -> int:
    gone = 0
    while True:
        async with sessions.begin() as session:
            number = await forget(session)
        if not number:
            return gone
        gone += number
