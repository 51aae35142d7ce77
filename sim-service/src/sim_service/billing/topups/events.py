"""Events of purchases: a top-up's volume is there."""

from fleet_contracts.events import FleetEvent, SimToppedUp, TopUpData
from sim_service.billing.topups.models import PurchaseKind, TopUp

SOURCE = "sim-service"


def booked(top_up: TopUp) -> list[FleetEvent]:
    """sim.topped_up, once the volume is booked; extensions are none."""
    if top_up.kind != PurchaseKind.TOP_UP:
        return []
    data = TopUpData(iccid=top_up.iccid, order_id=top_up.order_number)
    return [
        SimToppedUp(source=SOURCE, subject=top_up.iccid, organizationid=top_up.organization_id, data=data)
    ]
