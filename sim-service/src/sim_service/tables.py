"""Every table, for migrations and their test."""

from sim_service.claims import models as claims
from sim_service.connectivity import models as connectivity
from sim_service.database import Base
from sim_service.devices import models as devices
from sim_service.events import models as events
from sim_service.job_items import models as job_items
from sim_service.jobs import models as jobs
from sim_service.lifecycle import models as lifecycle
from sim_service.looks import models as looks
from sim_service.orders import models as orders
from sim_service.policies import models as policies
from sim_service.products import models as products
from sim_service.push import models as push
from sim_service.quotas import models as quotas
from sim_service.schedules import models as schedules
from sim_service.sims import models as sims
from sim_service.sms import models as sms
from sim_service.tickets import models as tickets
from sim_service.topups import models as topups
from sim_service.usage import models as usage
from sim_service.volumes import models as volumes

__all__ = [
    "claims",
    "connectivity",
    "devices",
    "events",
    "job_items",
    "jobs",
    "lifecycle",
    "looks",
    "orders",
    "policies",
    "products",
    "push",
    "quotas",
    "schedules",
    "sims",
    "sms",
    "tickets",
    "topups",
    "usage",
    "volumes",
]

metadata = Base.metadata
