"""Events of monitoring-service: what devices say of their own traffic."""

from fleet_contracts.events import FleetEvent, TelemetryVolume
from fleet_kit.database import Sessions
from fleet_kit.event_handlers import hold_while_unavailable
from fleet_kit.scope import Scope
from sim_service.usage.device_usage.service import keep


class DeviceVolumeEvents:
    """Handles one event in one transaction; a repeated or older event changes nothing."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def handle(self, event: FleetEvent) -> None:
        """See fleet_kit.event_handlers.on_each_event; other events are not for this one."""
        if not isinstance(event, TelemetryVolume):
            return
        with hold_while_unavailable():
            async with self._sessions.begin() as session:
                await keep(session, Scope(event.owner), event.data.volumes)
