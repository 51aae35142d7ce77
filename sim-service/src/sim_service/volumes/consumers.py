"""Events of monitoring-service: what devices say of their own traffic."""

from fleet_contracts.events import FleetEvent, TelemetryVolume
from fleet_kit.away import AWAY, is_away
from fleet_kit.consumer import Pause
from fleet_kit.database import Sessions
from fleet_kit.delivery import RejectNow
from fleet_kit.scope import Scope
from sim_service.volumes.service import keep


class VolumeEvents:
    """Handles one event in one transaction; a repeated or older event changes nothing."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def handle(self, event: FleetEvent) -> None:
        """See fleet_kit.event_handlers.each_event; other events are not for this one."""
        if not isinstance(event, TelemetryVolume):
            return
        if event.organizationid is None:
            raise RejectNow("a volume event without organizationid")
        try:
            async with self._sessions.begin() as session:
                await keep(session, Scope(event.organizationid), event.data.volumes)
        except AWAY as error:
            if is_away(error):
                raise Pause(f"the database is away: {type(error).__name__}") from error
            raise
