"""Writing pushed records: COPY into a temporary table, then one statement for records, hours and days."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import orjson
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.carrier.stream import Unreadable, UsageRecord
from sim_service.push import statements
from sim_service.push.models import RejectedRecord

_LONGEST_EXCERPT = 2000
_NEWEST = Order("-created_at", RejectedRecord.created_at, RejectedRecord.id)


@dataclass(frozen=True, slots=True)
class Counted:
    """Records that were new, and how many of them are of SIMs that nobody owns."""

    stored: int = 0
    unclaimed: int = 0


class StreamRepository:
    """Writes what was pushed; records belong to whoever owns their SIM. `tell`: seconds until it is told."""

    def __init__(self, session: AsyncSession, *, tell: float) -> None:
        self._session, self._tell = session, tell

    async def store(self, records: Sequence[UsageRecord]) -> Counted:
        """Keep records that are new and add them to the usage of their hours and days."""
        if not records:
            return Counted()
        await self._session.execute(statements.INCOMING)
        connection = await (await self._session.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        await driver.copy_records_to_table(
            "incoming_records", records=records, columns=UsageRecord._fields, timeout=30
        )
        return await self._add(statements.STORE)

    async def adopt(self, iccids: Collection[str] | None = None) -> Counted:
        """Give records that came while nobody owned their SIM to its owner of today; None: all of them."""
        if iccids is None:
            return await self._add(statements.ADOPT)
        return await self._add(statements.ADOPT_SOME, iccids=list(iccids))

    async def _add(self, statement: Any, **values: object) -> Counted:
        row = (await self._session.execute(statement, {"tell": self._tell, **values})).one()
        return Counted(row.stored, row.unclaimed)

    async def reject(self, records: Sequence[Unreadable]) -> None:
        """List records that could not be read, each once however often it comes."""
        if not records:
            return
        texts = [_excerpt(one.record) for one in records]
        values = {
            "ids": [
                uuid5(NAMESPACE_OID, f"{one.field}\n{kept}") for one, kept in zip(records, texts, strict=True)
            ],
            "iccids": [one.iccid for one in records],
            "fields": [one.field for one in records],
            "reasons": [one.reason for one in records],
            "records": texts,
        }
        await self._session.execute(statements.REJECT, values)


class RejectedRepository:
    """Rejected records of one organisation's SIMs, or all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def page(self, paging: PageParams) -> Found[RejectedRecord]:
        """A page, newest first."""
        mine = select(RejectedRecord).where(self._scope.where(RejectedRecord.organization_id))
        return await find_page(self._session, mine, _NEWEST, paging)

    async def forget(self, before: datetime) -> None:
        """Delete those listed before a moment."""
        await self._session.execute(delete(RejectedRecord).where(RejectedRecord.created_at < before))


def _excerpt(record: object) -> str:
    return orjson.dumps(record)[:_LONGEST_EXCERPT].decode("utf-8", "ignore")
