import signing_service.auth.models
import signing_service.denylist.models
import signing_service.organizations.models
import signing_service.users.models  # noqa: F401
from fleet_kit.migrate import run_env
from signing_service.base import Base

run_env(Base.metadata)
