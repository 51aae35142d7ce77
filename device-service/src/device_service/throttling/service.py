"""What is done about devices that send more than they may while readings of others wait.

Who they are monitoring-service says (`telemetry.excess`). What such a device has published and the broker has
confirmed is stored; what it has not is sent again by the device when it may come back.
"""

from collections.abc import Iterable
from uuid import UUID

import structlog
from prometheus_client import Counter

from device_service.broker.telemetry_throttle import THROTTLE_SECONDS, TelemetryThrottle
from device_service.broker_sessions.service import SessionTerminations
from device_service.device_events.models import DEVICE_EVENTS
from device_service.device_events.schemas import EventIn
from device_service.device_events.service import DeviceEventService
from fleet_kit.database import Sessions
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.limits import Limits
from fleet_kit.scope import EVERYTHING

log = structlog.get_logger(__name__)
EVENT_TYPE = "telemetry_throttled"
"""Of the device's event that tells its organisation."""
PAYLOAD = {
    "seconds": THROTTLE_SECONDS,
    "reason": "more readings over MQTT than this device, or all of its organization, may send while readings "
    "of others wait; it cannot log in for that time, and what the broker has confirmed is stored later",
}
THROTTLED = Counter(
    "device_telemetry_throttled_total", "Times a device was kept from the broker for sending too much"
)
MAX_WAITING = 1000
"""Devices that wait to be kept away; a further one is named again if it goes on."""
DEVICES_PER_ROUND = 5


class ThrottlingService:
    """Keeps devices away, closes their sessions and tells their people.

    `enqueue` takes note of them, `keep_away` does it, a few of each organisation in turn: however many one
    has that send too much, neither others' nor the events that come with theirs wait for that.
    """

    def __init__(self, sessions: Sessions, throttle: TelemetryThrottle, *, most_events: int) -> None:
        """`most_events`: of an organisation without a limit of its own."""
        self._sessions, self._throttle = sessions, throttle
        self._defaults = {DEVICE_EVENTS: most_events}
        self._waiting: dict[UUID, dict[UUID, None]] = {}

    def enqueue(self, organization_id: UUID, device_ids: Iterable[UUID]) -> None:
        """Have these devices of an organisation kept away; at most MAX_WAITING of it wait for that."""
        waiting = self._waiting.setdefault(organization_id, {})
        for device_id in device_ids:
            if len(waiting) < MAX_WAITING:
                waiting[device_id] = None

    async def keep_away(self) -> None:
        """Those that wait for it and are not kept away yet; raises what Postgres does."""
        while self._waiting:
            organization_id, waiting = next(iter(self._waiting.items()))
            del self._waiting[organization_id]
            some = list(waiting)[:DEVICES_PER_ROUND]
            for device_id in some:
                del waiting[device_id]
            if waiting:  # behind the others
                self._waiting[organization_id] = waiting
            for device_id in some:
                await self._keep_away(organization_id, device_id)

    async def _keep_away(self, organization_id: UUID, device_id: UUID) -> None:
        if not await self._throttle.start(device_id):
            return
        try:
            await self._close(organization_id, device_id)
        except BaseException:
            await self._throttle.undo(device_id)
            raise
        THROTTLED.inc()
        log.warning(
            "device throttled",
            device_id=str(device_id),
            organization_id=str(organization_id),
            seconds=THROTTLE_SECONDS,
        )

    async def _close(self, organization_id: UUID, device_id: UUID) -> None:
        async with self._sessions.begin() as session:
            await SessionTerminations(session).request(device_id, organization_id)
        event = EventIn(event_type=EVENT_TYPE, payload=PAYLOAD)
        try:
            async with self._sessions.begin() as session:
                limits = Limits(session, self._defaults)
                await DeviceEventService(session, EVERYTHING, device_id).report(
                    organization_id, event, limits
                )
        except (NotFound, Conflict) as error:
            log.info("throttled, but not told", device_id=str(device_id), reason=error.code)
