"""Writing pushed records: COPY into a temporary table, then one statement for records, hours and days."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.json_object import encode_json
from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.carrier.push_stream import UnreadableRecord, UsageRecord
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.usage.streamer import statements
from sim_service.usage.streamer.models import RejectedRecord

_MAX_EXCERPT_LENGTH = 2000
_NEWEST = SortOrder("-created_at", RejectedRecord.created_at, RejectedRecord.id)


@dataclass(frozen=True, slots=True)
class StoreResult:
    """Records that were new, and how many of them are of SIMs that nobody owns."""

    stored: int = 0
    unclaimed: int = 0


class StreamRepository:
    """Writes what was pushed; records belong to whoever owns their SIM. `publish_after`: in seconds."""

    def __init__(self, session: AsyncSession, *, publish_after: float) -> None:
        self._session, self._publish_after = session, publish_after

    async def store(self, records: Sequence[UsageRecord]) -> StoreResult:
        """Keep records that are new and add them to the usage of their hours and days."""
        if not records:
            return StoreResult()
        await self._session.execute(statements.INCOMING)
        connection = await (await self._session.connection()).get_raw_connection()
        driver: Any = connection.driver_connection
        await driver.copy_records_to_table(
            "incoming_records", records=records, columns=UsageRecord._fields, timeout=30
        )
        return await self._add(statements.STORE)

    async def assign_to_owners(self, iccids: Collection[str] | None = None) -> StoreResult:
        """Give records that came while nobody owned their SIM to its owner of today; None: all of them."""
        if iccids is None:
            return await self._add(statements.ADOPT)
        return await self._add(statements.ADOPT_SOME, iccids=list(iccids))

    async def _add(self, statement: Any, **values: object) -> StoreResult:
        row = (await self._session.execute(statement, {"tell": self._publish_after, **values})).one()
        return StoreResult(row.stored, row.unclaimed)

    async def reject(self, records: Sequence[UnreadableRecord]) -> None:
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


class RejectedRepository(ScopedRepository):
    async def page(self, paging: PageParams) -> PageResult[RejectedRecord]:
        return await find_page(self._session, self._owned(RejectedRecord), _NEWEST, paging)

    async def delete_older_than(self, before: datetime) -> None:
        await self._session.execute(delete(RejectedRecord).where(RejectedRecord.created_at < before))


def _excerpt(record: object) -> str:
    return encode_json(record)[:_MAX_EXCERPT_LENGTH].decode("utf-8", "ignore")
