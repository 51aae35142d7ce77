"""The rules of grants: what is not granted is refused, by whichever way it is asked for."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Conflict, Forbidden
from fleet_kit.keyset_pagination import PageResult
from fleet_kit.pagination import PageParams
from fleet_kit.scope import EVERYTHING, Scope
from sim_service.grants.models import Grant, Switch
from sim_service.grants.repository import GrantRepository

NOT_GRANTED, SMS_BUDGET_EXCEEDED = "NOT_GRANTED", "SMS_BUDGET_EXCEEDED"
log = structlog.get_logger(__name__)


class GrantService:
    """Grants as a scope sees them. Other features ask with EVERYTHING: a purchase is its SIM's owner's."""

    def __init__(self, session: AsyncSession, scope: Scope = EVERYTHING) -> None:
        self._grants = GrantRepository(session, scope)

    async def get(self, organization_id: UUID, *, for_update: bool = False) -> Grant:
        """What an organisation has; `for_update` locks it until the commit, where there is something."""
        found = await self._grants.get(organization_id, for_update=for_update)
        return found or Grant.nothing(organization_id)

    async def allows(self, organization_id: UUID, switch: Switch) -> bool:
        return (await self.get(organization_id)).allows(switch)

    async def require(self, organization_id: UUID, switch: Switch) -> None:
        """Raise Forbidden NOT_GRANTED unless the switch is on."""
        if not await self.allows(organization_id, switch):
            raise not_granted(organization_id, switch)

    async def take_sms(self, organization_id: UUID, at: datetime, parts: int) -> None:
        """Count a message in the UTC month of `at`; raises Forbidden, Conflict SMS_BUDGET_EXCEEDED."""
        await self.require(organization_id, Switch.SMS)
        most = (await self.get(organization_id)).sms_per_month
        if not await self._grants.count_sms(organization_id, _month(at), parts, most):
            left = max(0, most - await self.sms_used(organization_id, at))
            raise Conflict(
                f"this takes {parts} of the month's SMS, of which {left} of {most} are left",
                code=SMS_BUDGET_EXCEEDED,
                details={"parts": parts, "sms_per_month": most, "remaining": left, "month": f"{at:%Y-%m}"},
            )

    async def give_back_sms(self, organization_id: UUID, at: datetime, parts: int) -> None:
        """So many parts of a message that counts in the UTC month of `at` were never sent."""
        await self._grants.uncount_sms(organization_id, _month(at), parts)

    async def sms_used(self, organization_id: UUID, at: datetime) -> int:
        """Messages that count in the UTC month of `at`."""
        return await self._grants.sms_used(organization_id, _month(at))

    async def put(self, organization_id: UUID, values: dict[str, Any], by: UUID) -> Grant:
        """Replace what an organisation has."""
        row = {"organization_id": organization_id, "changed_by": by, "changed_at": datetime.now(UTC)}
        await self._grants.put(values | row)
        shown = {name: str(value) for name, value in values.items()}
        log.info("grant changed", organization_id=str(organization_id), changed_by=str(by), **shown)
        return await self.get(organization_id, for_update=True)

    async def page(self, paging: PageParams) -> PageResult[Grant]:
        return await self._grants.page(paging)


def _month(at: datetime) -> date:
    return at.astimezone(UTC).date().replace(day=1)


def not_granted(organization_id: UUID, switch: Switch) -> Forbidden:
    path = f"/api/v1/sim/grants/{organization_id}"
    return Forbidden(
        f"this organisation has no grant for `{switch}`; the platform administrator gives it: PUT {path}",
        code=NOT_GRANTED,
        details={"switch": switch, "organization_id": str(organization_id)},
    )
