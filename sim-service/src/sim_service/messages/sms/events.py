"""Events of messages; they never carry the text."""

from fleet_contracts.events import FleetEvent, SimSmsReceived, SimSmsSent, SmsData
from sim_service.messages.sms.models import SmsMessage

SOURCE = "sim-service"


def sent(message: SmsMessage) -> list[FleetEvent]:
    """sim.sms_sent: the carrier has taken every part."""
    return _published(SimSmsSent, message)


def received(message: SmsMessage) -> list[FleetEvent]:
    """sim.sms_received: every part has arrived. None for an unclaimed SIM."""
    return _published(SimSmsReceived, message)


def _published(kind: type[SimSmsSent | SimSmsReceived], message: SmsMessage) -> list[FleetEvent]:
    data, owner = SmsData(iccid=message.iccid, message_id=str(message.id)), message.organization_id
    return [kind(source=SOURCE, subject=message.iccid, organizationid=owner, data=data)] if owner else []
