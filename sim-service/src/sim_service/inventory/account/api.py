"""HTTP: monthly limits, the carrier's own top-ups, SIMs that leave. For the platform administrator."""

from typing import Annotated

from fastapi import APIRouter, Depends

from fleet_kit.errors import Conflict
from fleet_kit.openapi import raises
from fleet_kit.pagination import Page
from fleet_kit.principal import PlatformAdmin
from sim_service.carrier.dependencies import AppCarrier
from sim_service.inventory.account.schemas import (
    AutoTopUpIn,
    LimitKind,
    LimitOut,
    LimitsIn,
    LimitsOut,
    TransferIn,
    TransferOut,
)
from sim_service.inventory.account.service import AccountService
from sim_service.platform.dependencies import AppSessions

router = APIRouter(tags=["account"])


async def _account(_user: PlatformAdmin, sessions: AppSessions, carrier: AppCarrier) -> AccountService:
    return AccountService(sessions, carrier)


Account = Annotated[AccountService, Depends(_account)]


@router.get("/sims/limits")
async def read_limits(account: Account) -> LimitsOut:
    """The account's monthly limits, asked of the carrier now; a SIM that reaches one is stopped."""
    return LimitsOut.model_validate(await account.limits())


@router.put("/sims/limits")
async def set_limits(body: LimitsIn, account: Account) -> LimitsOut:
    """Set limits for the whole account; 409 `CARRIER_REJECTED` for an id that cannot be chosen."""
    return LimitsOut.model_validate(await account.set_limits(body))


@router.get("/sims/limits/{kind}")
async def list_limit_choices(kind: LimitKind, account: Account) -> Page[LimitOut]:
    """The limits that can be set; there are few, so one page holds all."""
    items = [LimitOut.model_validate(limit) for limit in await account.choices(kind)]
    return Page(items=items, total=len(items), page=1, page_size=max(1, len(items)))


@router.put("/sims/auto-topup", status_code=204)
@raises(Conflict)
async def set_auto_topup(body: AutoTopUpIn, account: Account) -> None:
    """Let the carrier top SIMs that nobody owns up by itself below 20 %, or any SIMs no longer.

    It knows no budgets: policies top up SIMs that an organisation owns.
    """
    await account.set_auto_top_up(body.iccids, enabled=body.enabled)


@router.post("/sims/transfer", status_code=202)
async def transfer_sims(body: TransferIn, account: Account) -> TransferOut:
    """Give SIMs that nobody owns to another customer of the carrier.

    503 `CARRIER_OUTCOME_UNKNOWN`: the answer was lost, and a later sync tells whether they left.
    """
    return TransferOut(iccids=await account.transfer(body.iccids, body.target), target=body.target)
