"""The rules of totals: sums of what is known, with the age of the oldest part of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import invalid
from fleet_kit.pagination import PageParams, encode_cursor
from fleet_kit.schemas import check_texts, in_utc
from fleet_kit.scope import Scope
from sim_service.usage.totals.repository import Bucket, Position, TotalsQuery, TotalsRepository


@dataclass(frozen=True, slots=True)
class Totals:
    """A page of sums. `total` rows there are, `whole`: the range's sum; only for pages by number."""

    rows: Sequence[Row[Any]]
    total: int | None
    whole: Row[Any] | None
    next_cursor: str | None
    as_of: datetime | None


class TotalsService:
    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._totals = TotalsRepository(session, scope)

    async def find(self, wanted: TotalsQuery, paging: PageParams) -> Totals:
        after = _position(paging, wanted.bucket)
        rows = await self._totals.page(
            wanted, limit=paging.page_size + 1, offset=0 if after else paging.offset, after=after
        )
        shown = rows[: paging.page_size]
        last = shown[-1] if len(rows) > len(shown) else None
        cursor = encode_cursor([last.start.isoformat(), last.name]) if last else None
        total, whole = None, None
        if after is None:
            total = rows[0].rows if rows else await self._totals.count(wanted)
            whole = await self._totals.whole(wanted)
        return Totals(shown, total, whole, cursor, await self._totals.oldest_fetch())


def _position(paging: PageParams, bucket: Bucket) -> Position | None:
    values = paging.position(2)
    if values is None:
        return None
    try:
        hour = bucket is Bucket.HOUR
        start = in_utc(datetime.fromisoformat(values[0])) if hour else date.fromisoformat(values[0])
        return start, str(check_texts(values[1]))
    except (TypeError, ValueError):
        raise invalid("cursor", "not a cursor of this list") from None
