"""The inventory, usage and quotas."""

from datetime import date

from sim_service.carrier.errors import CarrierBadAnswer
from sim_service.carrier.models import (
    CarrierQuota,
    CarrierSim,
    Priority,
    QuotaKind,
    SimChange,
    SimPage,
    SimStatus,
    UsageDay,
)
from sim_service.carrier.once import operations
from sim_service.carrier.once.endpoint_group import PAGES, TOTAL, EndpointGroup
from sim_service.carrier.once.parsers import sims as parsers

_QUOTAS = {QuotaKind.DATA: operations.DATA_QUOTA, QuotaKind.SMS: operations.SMS_QUOTA}
_STATUSES = {SimStatus.ENABLED: "Enabled", SimStatus.DISABLED: "Disabled"}


class SimEndpoints(EndpointGroup):
    page_size = 100

    async def list_sims(self, page: int, *, priority: Priority) -> SimPage:
        params = {"page": page, "pageSize": self.page_size}
        rows, answer = await self._rows(operations.LIST_SIMS, priority, params=params)
        read = [sim for row in rows if (sim := parsers.sim(row)) is not None]
        return SimPage(
            sims=list({sim.iccid: sim for sim in read}.values()),
            page=page,
            total=answer.total(TOTAL),
            pages=answer.total(PAGES),
            skipped=len(rows) - len(read),
            raw_count=len(rows),
        )

    async def get_sim(self, iccid: str, *, priority: Priority) -> CarrierSim:
        sim = parsers.sim(await self._read_record(operations.GET_SIM, priority, iccid=iccid))
        if sim is None or sim.iccid != iccid:
            raise CarrierBadAnswer("the carrier's answer describes another SIM, or none")
        return sim

    async def change_sim(self, iccid: str, change: SimChange, *, priority: Priority) -> None:
        wanted: dict[str, str | bool] = {"iccid": iccid}
        status = change.status
        # v1 wants the status with every change, so it is read first where it stays.
        if status is None and self._transport.version_of(operations.CHANGE_SIM) == operations.V1:
            status = (await self.get_sim(iccid, priority=priority)).status
        if status is not None:
            if status not in _STATUSES:
                raise CarrierBadAnswer(
                    "the carrier does not say whether the SIM is enabled, which its update repeats"
                )
            wanted["status"] = _STATUSES[status]
        if change.label is not None:
            wanted["label"] = change.label
        if change.imei_lock is not None:
            wanted["imei_lock"] = change.imei_lock
        await self._transport.send(operations.CHANGE_SIM, priority=priority, iccid=iccid, body=wanted)

    async def usage(self, iccid: str, first: date, last: date, *, priority: Priority) -> list[UsageDay]:
        # Both dates are always sent: 1NCE's default range is not documented.
        params = {"start_dt": first.isoformat(), "end_dt": last.isoformat()}
        body = await self._read(operations.USAGE, priority, iccid=iccid, params=params)
        stats = body.get("stats") if isinstance(body, dict) else None
        if not isinstance(stats, list):
            raise CarrierBadAnswer("the carrier's usage has no rows")
        days = (parsers.usage_day(row) for row in stats)
        return sorted(
            {day.day: day for day in days if day is not None and first <= day.day <= last}.values(),
            key=lambda day: day.day,
        )

    async def quota(self, iccid: str, kind: QuotaKind, *, priority: Priority) -> CarrierQuota:
        quota = parsers.quota(await self._read_record(_QUOTAS[kind], priority, iccid=iccid), kind)
        if quota is None:
            raise CarrierBadAnswer("the carrier's quota does not say what is left")
        return quota
