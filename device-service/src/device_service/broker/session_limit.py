"""How many MQTT sessions a device and an organisation may have open.

Client ids are free, so one key could open any number of sessions, and the devices of one organisation all for
which the broker has room.
"""

import asyncio
import hashlib
import time
from uuid import UUID

import httpx
import structlog
from redis.asyncio import Redis

from device_service.broker.session_census import KEY, TOTAL, share
from fleet_kit.errors import Unavailable
from fleet_kit.redis_guard import REDIS_ERRORS

log = structlog.get_logger(__name__)
MAX_CLIENT_ID = 256
"""Characters of an MQTT client id."""
_REMEMBERED_SECONDS = 86_400
_TRIES = 4
_OPENING_SECONDS = 0.3
"""Time from the answer to a login until the broker lists the session; 0.2 s were measured."""


class SessionLimit:
    """Counts client ids in Redis, and asks the broker what is open only once there are too many.

    `per_device`, and `max_sessions` of all devices, may be open. Without Redis the limit of the virtual host
    is the only one.
    """

    def __init__(
        self, redis: Redis, management: httpx.AsyncClient, *, per_device: int, max_sessions: int
    ) -> None:
        self._redis, self._management = redis, management
        self._per_device, self._max_sessions = per_device, max_sessions

    async def admits(self, device_id: UUID, organization_id: UUID, client_id: str) -> bool:
        """Whether the device may open a session under that client id.

        Raises Unavailable when the broker had to be asked and did not answer.
        """
        if len(client_id) > MAX_CLIENT_ID:
            return False
        try:
            refused = await self._refused(device_id, organization_id, client_id)
        except REDIS_ERRORS as error:
            log.warning("sessions are not counted", device_id=str(device_id), error=repr(error))
            return True
        if refused is not None:
            log.warning("too many sessions", device_id=str(device_id), limit=refused)
        return refused is None

    async def _refused(self, device_id: UUID, organization_id: UUID, client_id: str) -> str | None:
        """Of which limit the session would be one too many."""
        total, own = await self._redis.hmget(KEY, [TOTAL, str(organization_id)])
        if int(total or 0) >= self._max_sessions:
            return "all devices"
        if int(own or 0) >= share(self._max_sessions):
            return "organization"
        for _ in range(_TRIES):
            verdict = await self._try(device_id, _digest(client_id))
            if verdict is not None:
                break
            # Many short sessions one after the other: they are closed again, or listed, in a moment.
            await asyncio.sleep(_OPENING_SECONDS)
        return None if verdict else "device"

    async def _try(self, device_id: UUID, name: bytes) -> bool | None:
        """Whether the device has room for the session; None if that depends on those that are opening."""
        key, now = f"device:sessions:{device_id}", time.time()
        logins = await self._note(key, name, now)
        if len(logins) <= self._per_device:
            return True
        # None from the time to come: the clock may have been set back.
        opening = sum(now - _OPENING_SECONDS < since < now for since in logins)
        listed = await self._open(device_id)
        if opening + listed >= self._per_device:
            await self._redis.zrem(key, name)
            return False if listed >= self._per_device else None
        # As many as there can be open: the oldest are those that have closed, or it makes no difference.
        await self._redis.zremrangebyrank(key, 0, -(opening + listed) - 2)
        return True

    async def _note(self, key: str, name: bytes, now: float) -> list[float]:
        """When each of the device's client ids logged in last; this one, being the latest, at the end."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zadd(key, {name: now})
            pipe.expire(key, _REMEMBERED_SECONDS)
            pipe.zrange(key, 0, -1, withscores=True)
            rows: list[tuple[bytes, float]] = (await pipe.execute())[-1]
        return [since for _, since in rows]

    async def _open(self, device_id: UUID) -> int:
        try:
            answer = await self._management.get(f"/api/connections/username/{device_id}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                return 0
            return len(answer.raise_for_status().json())
        except httpx.HTTPError as error:
            raise Unavailable("the broker does not tell which sessions are open") from error


def _digest(client_id: str) -> bytes:
    """Of one length, for a client id can be long."""
    return hashlib.blake2b(client_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
