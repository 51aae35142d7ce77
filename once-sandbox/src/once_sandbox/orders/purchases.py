"""Paths below /sims that cost money or give SIMs away: top-up, auto top-up, extension, transfer."""

from fastapi import APIRouter, Request, Response

from once_sandbox.deps import CurrentWorld
from once_sandbox.orders import payment, service
from once_sandbox.orders.links import order_location
from once_sandbox.orders.schemas import AutoTopup, Extension, Iccids, Transfer
from once_sandbox.sims.service import changeable
from once_sandbox.sims.transfer import transfer
from once_sandbox.wire import empty

router = APIRouter(tags=["Volume Top Up"])


@router.post("/v1/sims/topup")
async def top_up_many(
    iccids: Iccids, request: Request, world: CurrentWorld, payment_method: str | None = None
) -> Response:
    """One order for many SIMs."""
    order = service.top_up(world, iccids, payment_method, bulk=True)
    return empty(201, Location=order_location(request, world, order))


@router.post("/v1/sims/autoTopup")
async def auto_top_up(wanted: AutoTopup, world: CurrentWorld) -> Response:
    """Watch SIMs, or stop watching them."""
    sims = changeable(world, wanted.iccids)
    payment.watch(world, [sim.iccid for sim in sims], enabled=wanted.enabled)
    return empty(201)


@router.post("/v1/sims/extension")
async def extend(
    wanted: Extension, request: Request, world: CurrentWorld, payment_method: str | None = None
) -> Response:
    """Prolong SIMs once the order is paid."""
    order = service.extend(world, wanted, payment_method)
    return empty(201, Location=order_location(request, world, order))


@router.post("/v1/sims/simTransfer")
async def transfer_sims(wanted: Transfer, world: CurrentWorld) -> Response:
    """Queue a transfer to another organisation."""
    ranges = [(entry.first, entry.last) for entry in wanted.iccid_ranges]
    transfer(world, wanted.iccids, ranges, wanted.target_organisation)
    return empty(201)


@router.post("/v1/sims/{iccid}/topup")
@router.post("/v2/sims/{iccid}/topup")
async def top_up(
    iccid: str, request: Request, world: CurrentWorld, payment_method: str | None = None
) -> Response:
    """One top-up of one SIM: +500 MB and +250 SMS when it is paid."""
    order = service.top_up(world, [iccid], payment_method, bulk=False)
    return empty(201, Location=order_location(request, world, order))
