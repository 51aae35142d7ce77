import device_service.credentials.models
import device_service.device_events.models
import device_service.devices.models
import device_service.sessions.models  # noqa: F401
from device_service.base import Base
from fleet_kit.migrate import run_env

run_env(Base.metadata)
