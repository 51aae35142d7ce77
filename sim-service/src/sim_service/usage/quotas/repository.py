from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, Subquery, and_, delete, func, literal, or_, select, tuple_, union_all
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset_pagination import PageResult, SortOrder, find_page
from fleet_kit.pagination import PageParams
from sim_service.carrier.models import QuotaKind, QuotaState
from sim_service.inventory.sims.models import IN_SERVICE, Sim
from sim_service.platform.database import among
from sim_service.platform.scoped_repository import ScopedRepository
from sim_service.usage.quotas.models import QuotaThreshold, SimQuota
from sim_service.usage.quotas.schemas import QuotaQuery

_SETTLED = timedelta(minutes=15)
"""The list of SIMs may lag behind a quota: one asked for more recently than this is not asked for again."""
_FIRST_TO_END = SortOrder("ends_on", SimQuota.ends_on, SimQuota.iccid)


class QuotaRepository(ScopedRepository):
    async def get(self, iccid: str, kind: QuotaKind) -> SimQuota | None:
        return await self._one(self._mine(kind).where(SimQuota.iccid == iccid))

    async def find_many(self, iccids: Collection[str], kind: QuotaKind) -> Sequence[SimQuota]:
        return await self._all(self._mine(kind).where(among(SimQuota.iccid, iccids)))

    async def batch(self, kind: QuotaKind, *, after: str, limit: int) -> Sequence[SimQuota]:
        """Quotas behind an ICCID, locked, in the order of their ICCIDs."""
        statement = self._mine(kind).where(SimQuota.iccid > after).order_by(SimQuota.iccid).limit(limit)
        return await self._all(statement.with_for_update())

    async def page(self, wanted: QuotaQuery, paging: PageParams) -> PageResult[SimQuota]:
        """A page in the order in which the quotas end."""
        statement = self._mine(wanted.kind)
        if wanted.state is not None:
            statement = statement.where(SimQuota.state == wanted.state)
        if wanted.ends_before is not None:
            statement = statement.where(SimQuota.ends_on < wanted.ends_before)
        return await find_page(self._session, statement, _FIRST_TO_END, paging)

    async def forget(self, iccids: Collection[str]) -> None:
        """Delete the quotas of SIMs that go back to nobody: whoever claims them asks anew."""
        mine = self._scope.where(SimQuota.organization_id)
        await self._session.execute(delete(SimQuota).where(mine, SimQuota.iccid.in_(iccids)))

    async def never_fetched(self, *, after: str, limit: int) -> Sequence[str]:
        """ICCIDs behind `after` of claimed SIMs whose data quota was never asked for."""
        joined = and_(SimQuota.iccid == Sim.iccid, SimQuota.kind == QuotaKind.DATA)
        statement = (
            select(Sim.iccid)
            .outerjoin(SimQuota, joined)
            .where(
                self._scope.where(Sim.organization_id),
                *IN_SERVICE,
                SimQuota.iccid.is_(None),
                Sim.iccid > after,
            )
            .order_by(Sim.iccid)
            .limit(limit)
        )
        return await self._all(statement)

    async def outdated(self, *, after: tuple[str, str], limit: int) -> Sequence[tuple[str, str]]:
        """(ICCID, kind) behind `after` where the list of SIMs has another state than the stored quota."""
        found = self._outdated()
        statement = (
            select(found.c.iccid, found.c.kind)
            .where(tuple_(found.c.iccid, found.c.kind) > tuple_(*after))
            .order_by(found.c.iccid, found.c.kind)
            .limit(limit)
        )
        return [(row.iccid, row.kind) for row in (await self._session.execute(statement)).all()]

    async def count_outdated(self) -> int:
        return await self._count(select(self._outdated()))

    def _outdated(self) -> Subquery:
        parts, settled = [], datetime.now(UTC) - _SETTLED
        stored = func.coalesce(SimQuota.carrier_state, SimQuota.state)
        for kind, listed in ((QuotaKind.DATA, Sim.data_quota_state), (QuotaKind.SMS, Sim.sms_quota_state)):
            joined = and_(SimQuota.iccid == Sim.iccid, SimQuota.kind == kind)
            unknown = and_(SimQuota.state.is_(None), listed != QuotaState.OK)
            known = and_(stored != listed, stored != QuotaState.EXPIRED, SimQuota.fetched_at < settled)
            parts.append(
                select(Sim.iccid, literal(kind.value).label("kind"))
                .outerjoin(SimQuota, joined)
                .where(self._scope.where(Sim.organization_id), *IN_SERVICE, or_(unknown, known))
            )
        return union_all(*parts).subquery()

    def _mine(self, kind: QuotaKind) -> Select[SimQuota]:
        return self._owned(SimQuota).where(SimQuota.kind == kind)


class ThresholdRepository:
    def __init__(self, session: AsyncSession, organization_id: UUID) -> None:
        self._session, self._owner = session, organization_id

    async def all_of(self, iccids: Collection[str]) -> dict[tuple[str, str], int]:
        """(kind, ICCID) to percent, of these SIMs and, with an empty ICCID, of the organisation."""
        statement = select(QuotaThreshold).where(
            QuotaThreshold.organization_id == self._owner, QuotaThreshold.iccid.in_([*iccids, ""])
        )
        rows = (await self._session.execute(statement)).scalars()
        return {(row.kind, row.iccid): row.percent for row in rows}

    async def put(self, kind: QuotaKind, iccid: str, percent: int | None) -> None:
        names = {"organization_id": self._owner, "kind": kind, "iccid": iccid}
        if percent is None:
            conditions = [getattr(QuotaThreshold, name) == value for name, value in names.items()]
            await self._session.execute(delete(QuotaThreshold).where(*conditions))
            return
        statement = insert(QuotaThreshold).values(**names, percent=percent)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=list(names), set_={"percent": percent})
        )
