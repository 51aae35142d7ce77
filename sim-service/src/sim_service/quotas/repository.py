"""Queries on `sim_quotas`."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import and_, literal, or_, select, tuple_, union_all
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.scope import Scope
from sim_service.carrier.facts import QuotaKind, QuotaState
from sim_service.quotas.models import SimQuota
from sim_service.sims.models import Sim


class QuotaRepository:
    """Quotas of one organisation's SIMs, or of all with EVERYTHING."""

    def __init__(self, session: AsyncSession, scope: Scope) -> None:
        self._session, self._scope = session, scope

    async def get(self, iccid: str, kind: QuotaKind) -> SimQuota | None:
        """One quota."""
        statement = select(SimQuota).where(
            self._scope.where(SimQuota.organization_id), SimQuota.iccid == iccid, SimQuota.kind == kind
        )
        return (await self._session.execute(statement)).scalar_one_or_none()

    async def kept(self, iccids: Collection[str], kind: QuotaKind) -> Sequence[SimQuota]:
        """The kept quotas of these SIMs."""
        statement = select(SimQuota).where(
            self._scope.where(SimQuota.organization_id), SimQuota.iccid.in_(iccids), SimQuota.kind == kind
        )
        return (await self._session.execute(statement)).scalars().all()

    def add(self, quota: SimQuota) -> None:
        """A quota heard of for the first time."""
        self._session.add(quota)

    async def outdated(
        self, *, fetched_before: datetime, after: tuple[str, str], limit: int
    ) -> Sequence[tuple[str, str]]:
        """(ICCID, kind) behind `after` where the list of SIMs tells of another state than the quota kept."""
        parts = []
        for kind, listed in ((QuotaKind.DATA, Sim.data_quota_state), (QuotaKind.SMS, Sim.sms_quota_state)):
            joined = and_(SimQuota.iccid == Sim.iccid, SimQuota.kind == kind)
            unknown = and_(SimQuota.state.is_(None), listed != QuotaState.OK)
            known = and_(
                SimQuota.state != listed,
                SimQuota.state != QuotaState.EXPIRED,
                SimQuota.fetched_at < fetched_before,
            )
            parts.append(
                select(Sim.iccid, literal(kind.value).label("kind"))
                .outerjoin(SimQuota, joined)
                .where(
                    self._scope.where(Sim.organization_id),
                    Sim.organization_id.is_not(None),
                    Sim.missing_since.is_(None),
                    or_(unknown, known),
                )
            )
        found = union_all(*parts).subquery()
        statement = (
            select(found.c.iccid, found.c.kind)
            .where(tuple_(found.c.iccid, found.c.kind) > tuple_(*after))
            .order_by(found.c.iccid, found.c.kind)
            .limit(limit)
        )
        return [(row.iccid, row.kind) for row in (await self._session.execute(statement)).all()]
