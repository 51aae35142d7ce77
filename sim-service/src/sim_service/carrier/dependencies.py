"""The carrier, as endpoints take it from the running application."""

from typing import Annotated

from sim_service.carrier.base import Carrier
from sim_service.platform.dependencies import from_app

AppCarrier = Annotated[Carrier, from_app("carrier")]
