"""The rules of bulk actions: which SIMs, whose, and the job that sees to them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import NotFound, Unprocessable, invalid, prefix_field
from fleet_kit.limits import Limits
from fleet_kit.principal import Principal
from fleet_kit.scope import Scope
from sim_service.bulk.schemas import BulkIn, BulkSmsIn
from sim_service.inventory.sims.service import SimService
from sim_service.messages.sms import service as sms
from sim_service.work.job_items.models import ItemState
from sim_service.work.job_items.service import JobItemService
from sim_service.work.jobs.models import Job, JobKind
from sim_service.work.jobs.service import JobService

_SHOWN_UNKNOWN = 100


class BulkService:
    """Asks for bulk actions. `most`: SIMs that one may have; `most_parts`: of a message."""

    def __init__(self, session: AsyncSession, limits: Limits, *, most: int, most_parts: int) -> None:
        self._session, self._limits = session, limits
        self._most, self._most_parts = most, most_parts

    async def request(self, body: BulkIn, user: Principal) -> Job:
        """A job with an item for each SIM of the organisation; its parameters tell which others were named.

        Raises NotFound for another's organisation and where none of the named SIMs is the organisation's, 422
        where the filter finds no SIM or too many, or a message could be sent to none, Conflict at its limits.
        """
        organization_id = user.acts_for(body.organization_id)
        if isinstance(body, BulkSmsIn):
            self._check(body.params.draft())
        iccids, unknown = await self._iccids(body, Scope(organization_id))
        params = {
            "action": body.action,
            "params": body.params.model_dump(mode="json", exclude_none=True),
            "not_found": {"count": len(unknown), "iccids": unknown[:_SHOWN_UNKNOWN]},
        }
        jobs = JobService(self._session, limits=self._limits)
        job = await jobs.request(JobKind.BULK, user.user_id, organization_id=organization_id, params=params)
        await jobs.count_items(organization_id, len(iccids))
        job.total, job.result = len(iccids), {ItemState.PENDING: len(iccids)}
        await self._session.flush()
        items = JobItemService(self._session, Scope(organization_id))
        await items.create(job.id, organization_id, iccids)
        return job

    def _check(self, draft: sms.Draft) -> None:
        try:
            sms.check(draft, most_parts=self._most_parts)
        except Unprocessable as error:
            raise prefix_field("params", error) from None

    async def _iccids(self, body: BulkIn, scope: Scope) -> tuple[Sequence[str], Sequence[str]]:
        """The organisation's SIMs that are meant, and what else was named: one may invent any number."""
        if body.filter is None:
            named = list(dict.fromkeys(body.iccids or ()))
            owned = await SimService(self._session, scope).owned(named)
            if not owned:
                raise NotFound("none of these SIMs exists", code="SIM_NOT_FOUND")
            return [one for one in named if one in owned], [one for one in named if one not in owned]
        found = await SimService(self._session, scope).iccids(body.filter, self._most + 1)
        if not found:
            raise invalid("filter", "finds no SIM")
        if len(found) > self._most:
            raise invalid("filter", f"finds more than {self._most} SIMs")
        return found, ()
