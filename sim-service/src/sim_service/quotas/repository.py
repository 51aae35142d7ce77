"""Queries on `sim_quotas` and `quota_thresholds`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    Select,
    Subquery,
    and_,
    delete,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.keyset import Found, Order, find_page
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope
from sim_service.carrier.facts import QuotaKind, QuotaState
from sim_service.database import among
from sim_service.quotas.models import QuotaThreshold, SimQuota
from sim_service.sims.models import IN_SERVICE, Sim

_FIRST_TO_END = Order("ends_on", SimQuota.ends_on, SimQuota.iccid)


@dataclass(frozen=True, slots=True)
class QuotaFilter:
    """Conditions that must all hold; None does not restrict. `ends_before`: by exhaustion or expiry."""

    kind: QuotaKind = QuotaKind.DATA
    state: str | None = None
    ends_before: date | None = None


class QuotaRepository:
    """Quotas of one organisation's SIMs, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, iccid: str, kind: QuotaKind) -> SimQuota | None:
        """One quota."""
        statement = self._mine(kind).where(SimQuota.iccid == iccid)
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def kept(self, iccids: Collection[str], kind: QuotaKind) -> Sequence[SimQuota]:
        """The kept quotas of these SIMs, however many."""
        statement = self._mine(kind).where(among(SimQuota.iccid, iccids))
        return (await self._session.execute(statement)).scalars().all()

    async def batch(self, kind: QuotaKind, *, after: str, limit: int) -> Sequence[SimQuota]:
        """Quotas behind an ICCID, locked, in the order of their ICCIDs."""
        statement = self._mine(kind).where(SimQuota.iccid > after).order_by(SimQuota.iccid).limit(limit)
        return (await self._session.execute(statement.with_for_update())).scalars().all()

    async def page(self, wanted: QuotaFilter, paging: PageParams) -> Found[SimQuota]:
        """A page in the order in which the quotas end."""
        statement = self._mine(wanted.kind)
        if wanted.state is not None:
            statement = statement.where(SimQuota.state == wanted.state)
        if wanted.ends_before is not None:
            statement = statement.where(SimQuota.ends_on < wanted.ends_before)
        return await find_page(self._session, statement, _FIRST_TO_END, paging)

    def add(self, quota: SimQuota) -> None:
        """A quota heard of for the first time."""
        self._session.add(quota)

    async def forget(self, iccids: Collection[str]) -> None:
        """Delete the quotas of SIMs that go back to nobody: whoever claims them asks anew."""
        mine = self._scope.where(SimQuota.organization_id)
        await self._session.execute(delete(SimQuota).where(mine, SimQuota.iccid.in_(iccids)))

    async def never_asked(self, *, after: str, limit: int) -> Sequence[str]:
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
        return (await self._session.execute(statement)).scalars().all()

    async def outdated(
        self, *, fetched_before: datetime, after: tuple[str, str], limit: int
    ) -> Sequence[tuple[str, str]]:
        """(ICCID, kind) behind `after` where the list of SIMs tells of another state than the quota kept."""
        found = self._outdated(fetched_before)
        statement = (
            select(found.c.iccid, found.c.kind)
            .where(tuple_(found.c.iccid, found.c.kind) > tuple_(*after))
            .order_by(found.c.iccid, found.c.kind)
            .limit(limit)
        )
        return [(row.iccid, row.kind) for row in (await self._session.execute(statement)).all()]

    async def count_outdated(self, *, fetched_before: datetime) -> int:
        """How many of those there are."""
        counted = select(func.count()).select_from(self._outdated(fetched_before))
        return (await self._session.execute(counted)).scalar_one()

    def _outdated(self, fetched_before: datetime) -> Subquery:
        parts = []
        told = func.coalesce(SimQuota.carrier_state, SimQuota.state)
        for kind, listed in ((QuotaKind.DATA, Sim.data_quota_state), (QuotaKind.SMS, Sim.sms_quota_state)):
            joined = and_(SimQuota.iccid == Sim.iccid, SimQuota.kind == kind)
            unknown = and_(SimQuota.state.is_(None), listed != QuotaState.OK)
            known = and_(told != listed, told != QuotaState.EXPIRED, SimQuota.fetched_at < fetched_before)
            parts.append(
                select(Sim.iccid, literal(kind.value).label("kind"))
                .outerjoin(SimQuota, joined)
                .where(
                    self._scope.where(Sim.organization_id),
                    *IN_SERVICE,
                    or_(unknown, known),
                )
            )
        return union_all(*parts).subquery()

    def _mine(self, kind: QuotaKind) -> Select[SimQuota]:
        return select(SimQuota).where(self._scope.where(SimQuota.organization_id), SimQuota.kind == kind)


class ThresholdRepository:
    """Own thresholds of one organisation."""

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
        """Set one threshold, or forget it (None)."""
        names = {"organization_id": self._owner, "kind": kind, "iccid": iccid}
        if percent is None:
            conditions = [getattr(QuotaThreshold, name) == value for name, value in names.items()]
            await self._session.execute(delete(QuotaThreshold).where(*conditions))
            return
        statement = insert(QuotaThreshold).values(**names, percent=percent)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=list(names), set_={"percent": percent})
        )
