"""What the carrier's SMS forwarder pushes, taken in."""

from collections.abc import Mapping
from typing import Any

from fleet_kit.database import Sessions
from sim_service.carrier.forwarder import ForwarderReader
from sim_service.sms.follow import ENDS
from sim_service.sms.inbox import SmsInbox


class SmsForwarder:
    """Takes pushes in; when a call returns, the push is stored. A push may come again, and in any order."""

    def __init__(self, sessions: Sessions, reader: ForwarderReader) -> None:
        self._inbox, self._reader = SmsInbox(sessions), reader

    async def receive(self, record: Mapping[str, Any]) -> str:
        """A message from a SIM; the carrier's id of it. Raises 422 for what cannot be read."""
        sms = self._reader.received(record)
        await self._inbox.receive(sms)
        return sms.id

    async def report(self, record: Mapping[str, Any]) -> str:
        """A delivery report; the carrier's id of its message. Raises 422 for what cannot be read."""
        report = self._reader.report(record)
        if (end := ENDS.get(report.state)) is not None:
            await self._inbox.report(report.iccid, report.id, end, report.delivered_at)
        return report.id
