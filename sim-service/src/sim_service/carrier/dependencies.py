"""The carrier, as endpoints take it from the running application."""

from typing import Annotated, cast

from fastapi import Depends, Request

from fleet_kit.openapi import raises
from fleet_kit.principal import CurrentUser
from sim_service.carrier.base import Carrier
from sim_service.carrier.errors import (
    CarrierBadAnswer,
    CarrierOperationUnavailable,
    CarrierRejected,
    CarrierSimNotFound,
)
from sim_service.carrier.fair_share import use_share_of


@raises(CarrierBadAnswer, CarrierOperationUnavailable, CarrierRejected, CarrierSimNotFound)
async def _carrier(request: Request, user: CurrentUser) -> Carrier:
    """The carrier; what the request asks it counts for the user's organisation."""
    use_share_of(user.organization_id)
    return cast(Carrier, request.app.state.carrier)


AppCarrier = Annotated[Carrier, Depends(_carrier)]
