"""/v1/orders."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from once_sandbox.deps import CurrentWorld
from once_sandbox.orders import service
from once_sandbox.orders.links import base_of, order_location
from once_sandbox.orders.schemas import NewOrder, order_json
from once_sandbox.paging import paging
from once_sandbox.wire import empty

router = APIRouter(tags=["Orders"])


@router.get("/v1/orders")
async def list_orders(
    request: Request,
    world: CurrentWorld,
    page: str | None = None,
    page_size: Annotated[str | None, Query(alias="pageSize")] = None,
    sort: str | None = None,
) -> JSONResponse:
    """A page of at most 10 orders."""
    wanted = paging(page, page_size, default=10, largest=10)
    found = service.search(world, sort)
    rows = [order_json(order, base_of(request, world)) for order in wanted.cut(found)]
    return JSONResponse(rows, headers=wanted.headers(len(found), len(rows)))


@router.post("/v1/orders")
async def place_order(wanted: NewOrder, request: Request, world: CurrentWorld) -> Response:
    """Order SIMs: 201 without a body, the order's address in Location."""
    order = service.order_sims(world, wanted)
    return empty(201, Location=order_location(request, world, order))


@router.get("/v1/orders/{number}")
async def read_order(number: str, request: Request, world: CurrentWorld) -> JSONResponse:
    """One order."""
    return JSONResponse(order_json(service.find(world, number), base_of(request, world)))
