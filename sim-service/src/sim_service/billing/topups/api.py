"""HTTP: buy volume for a SIM, and read the ledger."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from fleet_kit.app import API
from fleet_kit.pagination import Page, Paging
from fleet_kit.principal import CurrentUser, Role
from sim_service.billing.purchases.models import PurchaseState
from sim_service.billing.topups.ledger import TopUpRequest, prices_of
from sim_service.billing.topups.models import PurchaseKind
from sim_service.billing.topups.schemas import (
    ExtensionIn,
    MonthOut,
    Months,
    MonthsOut,
    SettleIn,
    SimTopUpQuery,
    TopUpIn,
    TopUpOut,
    TopUpQuery,
    months,
)
from sim_service.billing.topups.service import TopUpService
from sim_service.carrier.dependencies import AppCarrier
from sim_service.platform.dependencies import AppSessions, AppSettings
from sim_service.platform.iccid_path import IccidPath
from sim_service.platform.idempotency import RequestIdempotency

router = APIRouter(tags=["top-ups"])


async def _top_ups(
    user: CurrentUser, sessions: AppSessions, carrier: AppCarrier, settings: AppSettings
) -> TopUpService:
    prices, fresh = prices_of(settings), settings.quota_fresh_seconds
    return TopUpService(sessions, user.scope, carrier, prices=prices, fresh=fresh)


TopUps = Annotated[TopUpService, Depends(_top_ups)]


@router.post("/sims/{iccid}/topup", status_code=202)
async def top_up(
    *,
    iccid: IccidPath,
    user: CurrentUser,
    top_ups: TopUps,
    settings: AppSettings,
    idempotency: RequestIdempotency,
    response: Response,
    body: TopUpIn | None = None,
) -> TopUpOut:
    """Buy volume for one SIM. The answer is the ledger's row: poll its address until it is booked or failed.

    Send an Idempotency-Key: repeated with it, the request finds its purchase instead of making another.
    """
    await top_ups.check(iccid)
    user.require(Role.OPERATOR)
    wanted = body or TopUpIn()
    row = await top_ups.one(
        iccid,
        TopUpRequest(
            payment=wanted.payment_method or settings.carrier_payment_method,
            requested_by=user.user_id,
            even_if_ordered=wanted.even_if_ordered,
        ),
        idempotency,
    )
    response.headers["Location"] = f"{API}/topups/{row.id}"
    return TopUpOut.model_validate(row)


@router.post("/sims/{iccid}/extend", status_code=202)
async def extend(
    *,
    iccid: IccidPath,
    user: CurrentUser,
    top_ups: TopUps,
    settings: AppSettings,
    idempotency: RequestIdempotency,
    response: Response,
    body: ExtensionIn | None = None,
) -> TopUpOut:
    """Prolong a SIM, also an expired one, with its product or another; ledger and rules are the same."""
    await top_ups.check(iccid)
    user.require(Role.OPERATOR)
    purchase = TopUpRequest(
        payment=settings.carrier_payment_method,
        kind=PurchaseKind.EXTENSION,
        product_id=body.product_id if body else None,
        requested_by=user.user_id,
    )
    row = await top_ups.one(iccid, purchase, idempotency)
    response.headers["Location"] = f"{API}/topups/{row.id}"
    return TopUpOut.model_validate(row)


@router.get("/sims/{iccid}/topups")
async def list_of_sim(
    iccid: IccidPath, top_ups: TopUps, paging: Paging, query: Annotated[SimTopUpQuery, Query()]
) -> Page[TopUpOut]:
    """The SIM's purchases, newest first."""
    found = await top_ups.find({"iccid": iccid} | query.model_dump(exclude_none=True), paging)
    return found.to_page(TopUpOut.model_validate, paging)


@router.get("/topups")
async def list_all(top_ups: TopUps, paging: Paging, query: Annotated[TopUpQuery, Query()]) -> Page[TopUpOut]:
    """The organisation's ledger, newest first."""
    found = await top_ups.find(query.model_dump(exclude_none=True), paging)
    return found.to_page(TopUpOut.model_validate, paging)


@router.get("/topups/months")
async def list_months(top_ups: TopUps, wanted: Annotated[Months, Depends(months)]) -> MonthsOut:
    """What was bought in each month, by state; what is not failed costs money or may yet."""
    rows = await top_ups.months(*wanted)
    return MonthsOut(items=[MonthOut.of(row) for row in rows])


@router.get("/topups/{top_up_id}")
async def read_top_up(top_up_id: UUID, top_ups: TopUps) -> TopUpOut:
    """One purchase as it stands."""
    return TopUpOut.model_validate(await top_ups.get(top_up_id))


@router.post("/topups/{top_up_id}/settle")
async def settle_top_up(top_up_id: UUID, body: SettleIn, user: CurrentUser, top_ups: TopUps) -> TopUpOut:
    """Platform administrator; what became of a purchase that cannot be looked up, by the carrier's portal."""
    return TopUpOut.model_validate(await top_ups.settle(top_up_id, PurchaseState(body.state), user))
