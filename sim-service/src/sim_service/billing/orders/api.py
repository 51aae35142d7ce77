"""HTTP: orders, and buying SIMs."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Response

from fleet_kit.app import API
from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentAdmin, CurrentOperator, CurrentUser, PlatformAdmin
from sim_service.billing.orders.approvals import OrderApprovals
from sim_service.billing.orders.schemas import AgedOrderOut, OrderIn, OrderOut, OrderQuery, OrderRequestOut
from sim_service.billing.orders.service import OrderLimits, OrderService
from sim_service.billing.purchases.models import PurchaseState
from sim_service.carrier.dependencies import AppCarrier
from sim_service.carrier.freshness import AgedPage, freshness
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.platform.idempotency import RequestIdempotency
from sim_service.work.jobs.api import location
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.schemas import JobOut
from sim_service.work.jobs.service import JobService

router = APIRouter(prefix="/orders", tags=["orders"])


async def _orders(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> OrderService:
    limits = OrderLimits(settings.order_approval_above, settings.purchase_tax_percent)
    return OrderService(sessions, user.scope, carrier, limits=limits, fresh=settings.order_fresh_seconds)


Orders = Annotated[OrderService, Depends(_orders)]
Number = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,40}$")]


@router.get("")
async def list_orders(
    user: CurrentUser, orders: Orders, paging: Paging, query: Annotated[OrderQuery, Query()]
) -> AgedPage[OrderOut]:
    """Orders that the organisation placed or that touch its SIMs, newest first."""
    wanted = query.model_dump(exclude={"iccid"}, exclude_none=True)
    known, items = await orders.find(wanted, paging, iccid=query.iccid)
    page = known.value.to_page(lambda order: OrderOut.of(order, items[order.number], user.scope), paging)
    return AgedPage(**page.model_dump(), **freshness(known))


@router.post("", status_code=202)
async def place_order(
    body: OrderIn, user: CurrentAdmin, orders: Orders, idempotency: RequestIdempotency, response: Response
) -> OrderRequestOut:
    """Buy SIMs. The answer is the request: poll its address until it is ordered or failed.

    An order above the limit is `awaiting_approval` until the platform administrator decides.

    Needs an Idempotency-Key: repeated with it, the request is found instead of made again.
    """
    idempotency.require_key()
    request = await orders.place(body.to_place(), user, idempotency)
    response.headers["Location"] = f"{API}/orders/requests/{request.id}"
    return OrderRequestOut.model_validate(request)


@router.post("/sync", status_code=202)
async def sync_orders(
    user: CurrentOperator, session: DbSession, settings: AppSettings, response: Response
) -> JobOut:
    """Have the worker read the carrier's orders: the open job, the last one while it is young, or a new one.

    It is young for SYNC_MIN_SECONDS after its end; the platform administrator need not wait.
    """
    jobs = JobService(session, user.scope)
    job = await jobs.request_sync(JobKind.SYNC_ORDERS, user, pause=settings.sync_min_seconds)
    response.headers["Location"] = location(job.id)
    return JobOut.of(job, user)


@router.get("/requests")
async def list_requests(
    orders: Orders, paging: Paging, state: PurchaseState | None = None
) -> Page[OrderRequestOut]:
    """What the organisation asked to buy, newest first; of all of them for the platform administrator."""
    return (await orders.requests(state, paging)).to_page(OrderRequestOut.model_validate, paging)


@router.get("/requests/{request_id}")
async def read_request(request_id: UUID, orders: Orders) -> OrderRequestOut:
    """One request as it stands."""
    return OrderRequestOut.model_validate(await orders.request(request_id))


@router.post("/requests/{request_id}/approve", status_code=202)
@raises(Conflict)
async def approve_request(
    request_id: UUID, user: PlatformAdmin, sessions: AppSessions, carrier: AppCarrier
) -> OrderRequestOut:
    """Platform administrator; places an order that waited. Again, it is found as it stands."""
    return OrderRequestOut.model_validate(await OrderApprovals(sessions, carrier).approve(request_id, user))


@router.post("/requests/{request_id}/reject")
@raises(Conflict)
async def reject_request(
    request_id: UUID, user: PlatformAdmin, sessions: AppSessions, carrier: AppCarrier
) -> OrderRequestOut:
    """Platform administrator; the order fails with `APPROVAL_REJECTED` and costs nothing."""
    return OrderRequestOut.model_validate(await OrderApprovals(sessions, carrier).reject(request_id, user))


@router.get("/{number}")
async def read_order(number: Number, user: CurrentUser, orders: Orders) -> AgedOrderOut:
    """One order with its age; read from the carrier again while it can change."""
    known = await orders.read(number)
    shown = OrderOut.of(*known.value, user.scope)
    return AgedOrderOut(**shown.model_dump(), **freshness(known))
