from device_service.base import Base
from fleet_kit.migrate import run_env

run_env(Base.metadata)
