"""Queries on `grants` and `sms_counts`."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.grants.models import Grant, SmsCount
from sim_service.platform.scoped_repository import ScopedRepository

_BY_ID = SortOrder("organization_id", Grant.organization_id, Grant.organization_id)


class GrantRepository(ScopedRepository):
    async def get(self, organization_id: UUID, *, for_update: bool = False) -> Grant | None:
        statement = self._owned(Grant).where(Grant.organization_id == organization_id)
        return await self._one(statement, for_update=for_update)

    async def page(self, paging: PageParams) -> PageResult[Grant]:
        return await find_page(self._session, self._owned(Grant), _BY_ID, paging)

    async def put(self, values: dict[str, Any]) -> None:
        """Insert the row, or replace the one that is there."""
        statement = insert(Grant).values(values)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=[Grant.organization_id], set_=values)
        )

    async def sms_used(self, organization_id: UUID, month: date) -> int:
        used = select(SmsCount.used).where(*_is(organization_id, month))
        return await self._session.scalar(used) or 0

    async def count_sms(self, organization_id: UUID, month: date, number: int, maximum: int) -> bool:
        """Count `number` more; False where that is too many. Others wait until the commit."""
        row = insert(SmsCount).values(organization_id=organization_id, month=month, used=0)
        await self._session.execute(row.on_conflict_do_nothing())
        counted = (
            update(SmsCount)
            .where(*_is(organization_id, month), SmsCount.used + number <= maximum)
            .values(used=SmsCount.used + number)
            .execution_options(synchronize_session=False)
        )
        return (await self._session.execute(counted.returning(SmsCount.used))).one_or_none() is not None

    async def uncount_sms(self, organization_id: UUID, month: date, number: int) -> None:
        left = func.greatest(SmsCount.used - number, 0)
        statement = update(SmsCount).where(*_is(organization_id, month)).values(used=left)
        await self._session.execute(statement.execution_options(synchronize_session=False))


def _is(organization_id: UUID, month: date) -> tuple[ColumnElement[bool], ...]:
    return SmsCount.organization_id == organization_id, SmsCount.month == month
