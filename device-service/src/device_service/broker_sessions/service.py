"""Closing a device's sessions at the broker after it has lost a key, or when it sends too much.

The broker asks about a key when a session begins and remembers what the session may do for as long as it is
open, so a revoked key would go on publishing. Its management API closes sessions by user name. Because the
broker also remembers answers for some seconds (the cache of its HTTP backend), they are closed at once and
a second time when that memory has faded; a device with its new key simply connects again. What a device
without a key had subscribed to is deleted with the second closing, after which nothing can subscribe anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from device_service.broker_sessions.management import DeviceSessions
from device_service.broker_sessions.repository import Claim, SessionTerminationRepository
from fleet_kit.database import Sessions

log = structlog.get_logger(__name__)
BROKER_REMEMBERS = timedelta(seconds=10)
"""How long the broker remembers what a device may do: `auth_cache.cache_ttl` in its configuration."""
DEVICES_PER_ROUND = 8
"""So many devices of an organisation are closed at the same time; then another organisation's are."""
RETRY = timedelta(seconds=10)
"""A device for which the broker answers with an error, or not at all, is tried again after so long."""
_FADED = BROKER_REMEMBERS + timedelta(seconds=2)
_CALLS_SECONDS = 15
_LEASE = timedelta(seconds=2 * _CALLS_SECONDS)
_FIRST_ID = UUID(int=0)
WithKey = Callable[[Collection[UUID]], Awaitable[Collection[UUID]]]
"""Which of these devices exist and have a key."""


class SessionTerminations:
    """Notes, in the transaction of the change, that a device's sessions have to end."""

    def __init__(self, session: AsyncSession) -> None:
        self._terminations = SessionTerminationRepository(session)

    async def request(self, device_id: UUID, organization_id: UUID) -> None:
        """Have the worker close them."""
        await self._terminations.put(device_id, organization_id, datetime.now(UTC))


class SessionCloser:
    """The worker's side: closes what was noted, organisations in turn.

    `close_due` may run several times at once, and only one of the runs has an organisation in hand: one whose
    devices are many, or slow to close, leaves the other runs to the other organisations.
    """

    def __init__(self, sessions: Sessions, devices: DeviceSessions, with_key: WithKey) -> None:
        self._sessions, self._devices, self._with_key = sessions, devices, with_key
        self._choosing, self._in_hand = asyncio.Lock(), set[UUID]()
        self._next_id = _FIRST_ID

    async def close_due(self) -> int:
        """Close what is due until nothing is; how many devices that were.

        Raises httpx.TransportError while the broker is unavailable. What could not be closed stays noted.
        """
        total = 0
        while (organization_id := await self._choose()) is not None:
            try:
                number = await self._close_some(organization_id)
            finally:
                self._in_hand.discard(organization_id)
            if not number:  # Another worker has them.
                break
            total += number
        return total

    async def _choose(self) -> UUID | None:
        """Whose turn it is: organisations in the order of their ids, after the last one the first again."""
        async with self._choosing, self._sessions() as session:
            terminations = SessionTerminationRepository(session)
            for start in dict.fromkeys((self._next_id, _FIRST_ID)):
                found = await terminations.next_organization(start, self._in_hand, datetime.now(UTC))
                if found is not None:
                    self._in_hand.add(found)
                    self._next_id = UUID(int=found.int + 1)
                    return found
            return None

    async def _close_some(self, organization_id: UUID) -> int:
        """Close some devices of an organisation; how many that were."""
        now = datetime.now(UTC)
        async with self._sessions.begin() as session:
            terminations = SessionTerminationRepository(session)
            claims = await terminations.claim(organization_id, now, now + _LEASE, DEVICES_PER_ROUND)
        last = {claim.device_id for claim in claims if claim.since + _FADED <= now}
        without_key = last.difference(await self._with_key(last)) if last else set()
        errors = await asyncio.gather(*(self._end(claim.device_id, without_key) for claim in claims))
        failed = {claim: error for claim, error in zip(claims, errors, strict=True) if error is not None}
        closed = [claim for claim in claims if claim not in failed]
        async with self._sessions.begin() as session:
            terminations = SessionTerminationRepository(session)
            await terminations.delete([claim for claim in closed if claim.device_id in last])
            await terminations.close_again([claim for claim in closed if claim.device_id not in last], _FADED)
        await self._try_again(failed)
        return len(claims)

    async def _end(self, device_id: UUID, without_key: Collection[UUID]) -> Exception | None:
        """End what a device has at the broker; what went wrong, which is no matter of its neighbours."""
        try:
            async with asyncio.timeout(_CALLS_SECONDS):
                await self._devices.close(device_id)
                if device_id in without_key:
                    await self._devices.delete_subscriptions(device_id)
        except (httpx.HTTPError, TimeoutError) as error:
            return error
        log.info("sessions closed", device_id=str(device_id))
        return None

    async def _try_again(self, failed: Mapping[Claim, Exception]) -> None:
        """Note them for later; at once and by raising the error where there is no broker to speak to."""
        if not failed:
            return
        errors = list(failed.values())
        away = [error for error in errors if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout))]
        due_at = datetime.now(UTC) + (timedelta() if away else RETRY)
        async with self._sessions.begin() as session:
            await SessionTerminationRepository(session).reschedule(list(failed), due_at)
        if away:
            raise away[0]
        log.warning("sessions not closed, will be tried again", devices=len(failed), error=repr(errors[0]))
