"""What every repository starts from: a session and the organisation whose rows may be seen."""

from collections.abc import Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import Select, SelectBase, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope

T = TypeVar("T")


class ScopedRepository:
    """Queries on one organisation's rows, or on all with EVERYTHING; the caller commits."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    def add(self, entity: Any) -> None:
        self._session.add(entity)

    def _owned(self, model: type[T]) -> Select[T]:
        """The rows that may be seen of a model with an `organization_id`."""
        return select(model).where(self._scope.where(cast(Any, model).organization_id))

    async def _all(self, statement: Select[T]) -> Sequence[T]:
        """The first column of every row."""
        return (await self._session.execute(statement)).scalars().all()

    async def _one(self, statement: Select[T], *, for_update: bool = False) -> T | None:
        """The first column of the only row, or None; `for_update` locks the row and reads it anew."""
        if for_update:
            statement = statement.with_for_update().execution_options(populate_existing=True)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def _count(self, rows: SelectBase) -> int:
        statement = select(func.count()).select_from(rows.subquery())
        return (await self._session.execute(statement)).scalar_one()
