"""The rules of job items: everybody sees those of their own organisation."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import invalid
from fleet_kit.pagination import PageParams, encode_cursor
from fleet_kit.scope import Scope
from sim_service.job_items.models import ItemState, JobItem
from sim_service.job_items.repository import JobItemRepository
from sim_service.jobs.service import JobService


@dataclass(frozen=True, slots=True)
class FoundItems:
    """A page of items; `total` only for pages by number."""

    items: Sequence[JobItem]
    total: int | None
    next_cursor: str | None


class JobItemService:
    """Items as a scope sees them."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._jobs, self._items = JobService(session, scope), JobItemRepository(session, scope)

    async def find(self, job_id: UUID, state: ItemState | None, paging: PageParams) -> FoundItems:
        """One page of a job's items in their order; raises NotFound."""
        await self._jobs.get(job_id)
        after = _position(paging)
        offset = 0 if after is not None else paging.offset
        rows = await self._items.page(job_id, state, limit=paging.page_size + 1, offset=offset, after=after)
        shown = rows[: paging.page_size]
        cursor = encode_cursor([shown[-1].number]) if len(rows) > len(shown) else None
        total = await self._items.count(job_id, state) if after is None else None
        return FoundItems(shown, total, cursor)


def _position(paging: PageParams) -> int | None:
    values = paging.position(1)
    if values is None:
        return None
    number = values[0]
    if not isinstance(number, int) or not 0 <= number < 2**31:
        raise invalid("cursor", "not a cursor of this list")
    return number
