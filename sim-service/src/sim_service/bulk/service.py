"""The rules of bulk actions: which SIMs, whose, and the job that sees to them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Unprocessable, invalid, prefix_field
from fleet_kit.principal import Principal
from fleet_kit.scope import Scope
from sim_service.bulk.schemas import BulkIn, BulkSmsIn
from sim_service.inventory.sims.service import SimService
from sim_service.messages.sms import service as sms
from sim_service.work.job_items.models import ItemState
from sim_service.work.job_items.service import JobItemService
from sim_service.work.jobs.models import Job, JobKind
from sim_service.work.jobs.service import JobService


class BulkService:
    """Asks for bulk actions. `most`: SIMs that one may have; `most_parts`: of a message."""

    def __init__(self, session: AsyncSession, *, most: int, most_parts: int) -> None:
        self._session, self._most, self._most_parts = session, most, most_parts

    async def request(self, body: BulkIn, user: Principal) -> Job:
        """A job with an item for each SIM. Named SIMs of others are items too and fail as not found.

        Raises NotFound for another's organisation, 422 where the filter finds no SIM or too many, or a
        message could be sent to none.
        """
        organization_id = user.acts_for(body.organization_id)
        if isinstance(body, BulkSmsIn):
            self._check(body.params.draft())
        iccids = await self._iccids(body, Scope(organization_id))
        params = {"action": body.action, "params": body.params.model_dump(mode="json", exclude_none=True)}
        job = await JobService(self._session).request(
            JobKind.BULK, user.user_id, organization_id=organization_id, params=params
        )
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

    async def _iccids(self, body: BulkIn, scope: Scope) -> Sequence[str]:
        if body.filter is None:
            return list(dict.fromkeys(body.iccids or ()))
        found = await SimService(self._session, scope).iccids(body.filter, self._most + 1)
        if not found:
            raise invalid("filter", "finds no SIM")
        if len(found) > self._most:
            raise invalid("filter", f"finds more than {self._most} SIMs")
        return found
