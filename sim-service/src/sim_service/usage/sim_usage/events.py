"""Events of usage: a day was recorded or grew."""

from fleet_contracts.events import FleetEvent, SimUsageRecorded, UsageData
from sim_service.usage.sim_usage.models import SimUsage

SOURCE = "sim-service"


def recorded(usage: SimUsage) -> FleetEvent:
    """sim.usage_recorded with the day as it is now."""
    data = UsageData(
        iccid=usage.iccid,
        day=usage.day.isoformat(),
        data_mo_bytes=usage.data_mo_bytes,
        data_mt_bytes=usage.data_mt_bytes,
        sms_mo=usage.sms_mo,
        sms_mt=usage.sms_mt,
    )
    return SimUsageRecorded(
        source=SOURCE, subject=usage.iccid, organizationid=usage.organization_id, data=data
    )
