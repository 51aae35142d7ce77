"""Body of the figures at a glance."""

from pydantic import BaseModel


class StatsOut(BaseModel):
    """Figures of an organisation; `online` are devices heard lately, `rejected` what could not be stored."""

    devices: int
    online: int
    readings_total: int
    readings_last_hour: int
    rejected: int
    alerts_open: int
