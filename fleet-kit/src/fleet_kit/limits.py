"""How many rows of a kind an organisation may have, counted in the transaction that adds them.

A service gives each of its limits a name and a default, which the platform administrator can replace for one
organisation. The count is a row of its own, so that it costs the same however many are counted.
"""

from collections.abc import Callable, Mapping
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import Field
from sqlalchemy import BigInteger, Column, ColumnElement, MetaData, Table, Text, Uuid, func, select
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import DbSession
from fleet_kit.errors import Conflict, NotFound
from fleet_kit.principal import PlatformAdmin
from fleet_kit.schemas import ResponseModel, StrictModel

TABLE = "t_organization_limits"
Defaults = Mapping[str, int]


def limits_table(metadata: MetaData) -> Table:
    """The table `t_organization_limits`, for a service's metadata and its migrations."""
    return Table(
        TABLE,
        metadata,
        Column("organization_id", Uuid, primary_key=True),
        Column("name", Text, primary_key=True),
        Column("used", BigInteger, nullable=False, server_default="0"),
        Column("maximum", BigInteger),
    )


_table = limits_table(MetaData())


class OrganizationLimitOut(ResponseModel):
    """`used` of at most `maximum`; `default`: what holds for organisations without a limit of their own."""

    name: str
    used: int
    maximum: int
    default: int


class OrganizationLimitIn(StrictModel):
    """The organisation's own limit; null: the default again. What is above it stays."""

    maximum: Annotated[int, Field(ge=0, le=10**12)] | None


class Limits:
    """The limits of organisations; `defaults` names them all. The caller commits."""

    def __init__(self, session: AsyncSession, defaults: Defaults) -> None:
        self._session, self._defaults = session, defaults

    async def take(self, organization_id: UUID, name: str, number: int = 1) -> None:
        """Count `number` more; raises Conflict where that is too many. Others wait until the commit."""
        default = self._defaults[name]
        maximum = func.coalesce(_table.c.maximum, default)
        row = upsert(_table).values(organization_id=organization_id, name=name, used=0)
        await self._session.execute(row.on_conflict_do_nothing())
        counted = (
            _table.update()
            .where(*_is(organization_id, name), _table.c.used + number <= maximum)
            .values(used=_table.c.used + number)
        )
        if (await self._session.execute(counted.returning(_table.c.used))).one_or_none() is None:
            raise await self._reached(organization_id, name, number)

    async def give_back(self, organization_id: UUID, name: str, number: int = 1) -> None:
        """Count `number` fewer."""
        left = func.greatest(_table.c.used - number, 0)
        await self._session.execute(_table.update().where(*_is(organization_id, name)).values(used=left))

    async def of(self, organization_id: UUID) -> list[OrganizationLimitOut]:
        """All limits of an organisation."""
        statement = select(_table).where(_table.c.organization_id == organization_id)
        rows = {row.name: row for row in (await self._session.execute(statement)).all()}
        return [
            OrganizationLimitOut(
                name=name,
                used=rows[name].used if name in rows else 0,
                maximum=default if name not in rows or rows[name].maximum is None else rows[name].maximum,
                default=default,
            )
            for name, default in self._defaults.items()
        ]

    async def set(self, organization_id: UUID, name: str, maximum: int | None) -> None:
        """Give the organisation a limit of its own, or with None take it away; raises NotFound."""
        if name not in self._defaults:
            raise NotFound("no such limit", code="LIMIT_NOT_FOUND", details={"names": list(self._defaults)})
        row = upsert(_table).values(organization_id=organization_id, name=name, maximum=maximum)
        key = [_table.c.organization_id, _table.c.name]
        await self._session.execute(row.on_conflict_do_update(index_elements=key, set_={"maximum": maximum}))

    async def _reached(self, organization_id: UUID, name: str, number: int) -> Conflict:
        (limit,) = [one for one in await self.of(organization_id) if one.name == name]
        details = {"limit": name, "maximum": limit.maximum, "used": limit.used, "wanted": number}
        what = name.replace("_", " ")
        return Conflict(
            f"the organisation may have {limit.maximum} {what}", code="LIMIT_REACHED", details=details
        )


def limits_router(prefix: str, defaults_of: Callable[[Request], Defaults]) -> APIRouter:
    """Routes below `prefix` with which the platform administrator reads and sets limits."""
    router = APIRouter(prefix=prefix, tags=["limits"])

    async def limits(request: Request, session: DbSession, _: PlatformAdmin) -> Limits:
        return Limits(session, defaults_of(request))

    Given = Annotated[Limits, Depends(limits)]  # noqa: N806  it is a type

    @router.get("/{organization_id}")
    async def read_limits(organization_id: UUID, limits: Given) -> list[OrganizationLimitOut]:
        """The limits of an organisation and how much of them it uses; for the platform administrator."""
        return await limits.of(organization_id)

    @router.put("/{organization_id}/{name}")
    async def set_limit(
        organization_id: UUID, name: str, body: OrganizationLimitIn, limits: Given
    ) -> list[OrganizationLimitOut]:
        """Set one limit of an organisation; for the platform administrator."""
        await limits.set(organization_id, name, body.maximum)
        return await limits.of(organization_id)

    return router


def _is(organization_id: UUID, name: str) -> tuple[ColumnElement[bool], ...]:
    return _table.c.organization_id == organization_id, _table.c.name == name
