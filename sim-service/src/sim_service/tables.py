"""Every table, for migrations and their test."""
# ruff: noqa: F401  importing a module puts its tables into the metadata

from sim_service.billing.orders import models as orders
from sim_service.billing.policies import models as policies
from sim_service.billing.products import models as products
from sim_service.billing.sync_watermarks import models as sync_watermarks
from sim_service.billing.topups import models as topups
from sim_service.grants import models as grants
from sim_service.inventory.devices import models as devices
from sim_service.inventory.releases import models as releases
from sim_service.inventory.sims import models as sims
from sim_service.inventory.sync import models as sync
from sim_service.lifecycle.actions import models as lifecycle
from sim_service.lifecycle.connectivity import models as connectivity
from sim_service.lifecycle.network_events import models as events
from sim_service.messages.sms import models as sms
from sim_service.messages.tickets import models as tickets
from sim_service.platform.database import Base
from sim_service.provisioning.claim_codes import models as claim_codes
from sim_service.provisioning.imports import models as imports
from sim_service.usage.device_usage import models as volumes
from sim_service.usage.quotas import models as quotas
from sim_service.usage.sim_usage import models as usage
from sim_service.usage.streamer import models as push
from sim_service.work.job_items import models as job_items
from sim_service.work.jobs import models as jobs
from sim_service.work.schedules import models as schedules

metadata = Base.metadata
