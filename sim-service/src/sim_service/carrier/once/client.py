"""1NCE as a Carrier."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sim_service.carrier.errors import CarrierBadAnswer, CarrierSimNotFound
from sim_service.carrier.facts import CarrierQuota, CarrierSim, Priority, QuotaKind, SimPage, UsageDay
from sim_service.carrier.once import operations, records
from sim_service.carrier.once.answers import Answer
from sim_service.carrier.once.transport import Transport

_TOTAL, _PAGES = "x-total-count", "x-total-pages"
_QUOTAS = {QuotaKind.DATA: operations.DATA_QUOTA, QuotaKind.SMS: operations.SMS_QUOTA}


class OnceCarrier:
    """See sim_service.carrier.base.Carrier."""

    name = "1nce"
    page_size = 100
    usage_days_kept = 180
    """1NCE keeps 6 months; a little less avoids arguing about the length of months."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_sims(self, page: int, *, priority: Priority) -> SimPage:
        """See Carrier."""
        params: Mapping[str, str | int] = {"page": page, "pageSize": self.page_size}
        answer = await self._look(operations.LIST_SIMS, priority, params=params)
        rows = answer.body
        if rows is None and answer.total(_TOTAL) == 0:
            rows = []
        if not isinstance(rows, list):
            raise CarrierBadAnswer("the carrier's list of SIMs is not a list")
        read = [sim for row in rows if (sim := records.sim(row)) is not None]
        return SimPage(
            sims=list({sim.iccid: sim for sim in read}.values()),
            page=page,
            total=answer.total(_TOTAL),
            pages=answer.total(_PAGES),
            skipped=len(rows) - len(read),
            raw_count=len(rows),
        )

    async def get_sim(self, iccid: str, *, priority: Priority) -> CarrierSim:
        """See Carrier."""
        body = await self._about_sim(operations.GET_SIM, iccid, priority)
        sim = records.sim(body)
        if sim is None or sim.iccid != iccid:
            raise CarrierBadAnswer("the carrier's answer describes another SIM, or none")
        return sim

    async def usage(self, iccid: str, first: date, last: date, *, priority: Priority) -> list[UsageDay]:
        """See Carrier. Both dates are always sent: 1NCE's default range is not documented."""
        params = {"start_dt": first.isoformat(), "end_dt": last.isoformat()}
        body = await self._about_sim(operations.USAGE, iccid, priority, params)
        stats = body.get("stats") if isinstance(body, dict) else None
        if not isinstance(stats, list):
            raise CarrierBadAnswer("the carrier's usage has no rows")
        days = (records.usage_day(row) for row in stats)
        return sorted(
            {day.day: day for day in days if day is not None and first <= day.day <= last}.values(),
            key=lambda day: day.day,
        )

    async def quota(self, iccid: str, kind: QuotaKind, *, priority: Priority) -> CarrierQuota:
        """See Carrier."""
        body = await self._about_sim(_QUOTAS[kind], iccid, priority)
        quota = records.quota(body, kind)
        if quota is None:
            raise CarrierBadAnswer("the carrier's quota does not say what is left")
        return quota

    async def _about_sim(
        self,
        operation: operations.Operation,
        iccid: str,
        priority: Priority,
        params: Mapping[str, str | int] | None = None,
    ) -> Any:
        """The body; without one, as seen for unknown SIMs, raises CarrierSimNotFound."""
        answer = await self._look(operation, priority, iccid=iccid, params=params)
        if answer.body is None:
            raise CarrierSimNotFound("the carrier does not know this SIM")
        return answer.body

    async def _look(
        self,
        operation: operations.Operation,
        priority: Priority,
        *,
        iccid: str = "",
        params: Mapping[str, str | int] | None = None,
    ) -> Answer:
        """The answer; an empty 200 is asked about once more before it is believed."""
        answer = await self._transport.send(operation, priority=priority, iccid=iccid, params=params)
        if answer.body is None and answer.total(_TOTAL) != 0:
            answer = await self._transport.send(operation, priority=priority, iccid=iccid, params=params)
        return answer
