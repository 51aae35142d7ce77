"""Every table, for migrations and their test."""

from sim_service.database import Base
from sim_service.devices import models as devices
from sim_service.job_items import models as job_items
from sim_service.jobs import models as jobs
from sim_service.push import models as push
from sim_service.quotas import models as quotas
from sim_service.schedules import models as schedules
from sim_service.sims import models as sims
from sim_service.topups import models as topups
from sim_service.usage import models as usage
from sim_service.volumes import models as volumes

__all__ = [
    "devices",
    "job_items",
    "jobs",
    "push",
    "quotas",
    "schedules",
    "sims",
    "topups",
    "usage",
    "volumes",
]

metadata = Base.metadata
