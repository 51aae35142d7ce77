"""What other services hear of messages: that there is one. The text stays here."""

from fleet_contracts.events import FleetEvent, SimSmsReceived, SimSmsSent, SmsData
from sim_service.sms.models import SmsMessage

SOURCE = "sim-service"


def sent(message: SmsMessage) -> list[FleetEvent]:
    """sim.sms_sent: the carrier has taken every part."""
    return [SimSmsSent(**_envelope(message))] if message.organization_id else []


def received(message: SmsMessage) -> list[FleetEvent]:
    """sim.sms_received: every part has arrived. Of an unclaimed SIM nobody hears."""
    return [SimSmsReceived(**_envelope(message))] if message.organization_id else []


def _envelope(message: SmsMessage) -> dict[str, object]:
    return {
        "source": SOURCE,
        "subject": message.iccid,
        "organizationid": message.organization_id,
        "data": SmsData(iccid=message.iccid, message_id=str(message.id)),
    }
