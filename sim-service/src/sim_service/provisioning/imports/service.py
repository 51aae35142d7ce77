"""The rules of imports: all rows or none, unless only the good ones are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.errors import Unprocessable
from fleet_kit.scope import Scope
from sim_service.inventory.sims.service import SimService
from sim_service.provisioning.imports.label_requests import LabelRequests
from sim_service.provisioning.imports.parsing import SHOWN_PROBLEMS
from sim_service.provisioning.imports.reading import ReadFile
from sim_service.provisioning.imports.repository import ImportRepository
from sim_service.provisioning.imports.schemas import Claims, ImportOut, ProblemOut
from sim_service.usage.streamer.service import assign_to_owners


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """For whom, by whom, and how. `claims`: which unclaimed SIMs are claimed."""

    organization_id: UUID
    user_id: UUID
    claims: Claims
    dry_run: bool
    partial: bool


class ImportService:
    """Imports of one organisation, in the caller's transaction."""

    def __init__(self, session: AsyncSession, wanted: ImportOptions) -> None:
        self._session, self._wanted = session, wanted

    async def run(self, read: ReadFile) -> ImportOut:
        """Do what the file says, or only report it; written is something only if `applied`."""
        session = self._session
        wanted = self._wanted
        scope = Scope(wanted.organization_id)
        repository = ImportRepository(session, scope, claims=wanted.claims)
        await repository.stage(read.rows)
        await repository.lock()
        found = await _problems(repository)
        dropped = {problem["row"] for problem in found}
        shown = sorted([*read.problems, *found], key=lambda one: one["row"])[:SHOWN_PROBLEMS]
        bad, total = read.bad + len(dropped), read.total
        await repository.exclude(sorted(dropped))
        await repository.mark()
        claimed = await repository.claimed()
        out = ImportOut(
            organization_id=wanted.organization_id,
            dry_run=wanted.dry_run,
            partial=wanted.partial,
            applied=not wanted.dry_run and (wanted.partial or not bad),
            rows=total,
            good=total - bad,
            bad=bad,
            claimed=len(claimed),
            linked=await repository.moved(),
            labels=await LabelRequests(session, scope).count(),
            updated=await repository.changed(),
            ignored_columns=read.ignored,
            problems=[ProblemOut(**one) for one in shown],
        )
        if out.applied:
            await self._write(repository, claimed)
        return out

    async def _write(self, repository: ImportRepository, claimed: Sequence[str]) -> None:
        session = self._session
        scope = Scope(self._wanted.organization_id)
        await repository.write()
        await LabelRequests(session, scope).add(self._wanted.user_id)
        if claimed:
            await assign_to_owners(session, claimed)
        sims = SimService(session, scope)
        async for batch in repository.changed_sims():
            await sims.publish_updated(*batch)


def refusal(out: ImportOut) -> Unprocessable | None:
    """Why nothing of the file was imported, if so."""
    if not out.bad or out.dry_run or out.partial:
        return None
    return Unprocessable(
        f"{out.bad} of {out.rows} rows cannot be imported, so none was",
        code="IMPORT_REFUSED",
        details=out.model_dump(mode="json"),
    )


async def _problems(repository: ImportRepository) -> list[dict[str, Any]]:
    """Row, column and reason, as the reader of the file gives them."""
    found = [(row.row, "iccid", "no such SIM") for row in await repository.unknown()]
    found += [(row.row, "device_id", "no such device") for row in await repository.unknown_devices()]
    for taken in await repository.taken_devices():
        found.append((taken.row, "device_id", f"the device already has the SIM {taken.iccid}"))
    return [{"row": row, "column": column, "reason": reason} for row, column, reason in found]
