from typing import Any

from fleet_kit.schemas import ResponseModel, Timestamp
from sim_service.work.job_items.models import ItemState


class JobItemOut(ResponseModel):
    """What became of one SIM of a job.

    `unknown`: it may have happened. The worker goes on looking until the job ends.
    """

    number: int
    iccid: str
    state: ItemState
    error_code: str | None
    error: str | None
    result: dict[str, Any] | None
    finished_at: Timestamp | None
