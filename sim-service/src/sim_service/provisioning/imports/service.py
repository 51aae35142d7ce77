"""The rules of imports: all rows or none, unless only the good ones are asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Unprocessable
from fleet_kit.scope import Scope
from sim_service.inventory.sims.service import SimService
from sim_service.platform.bounded_subprocess import SubprocessFailed, run_in_subprocess
from sim_service.provisioning.imports.label_requests import LabelRequests
from sim_service.provisioning.imports.parsing import SHOWN_PROBLEMS
from sim_service.provisioning.imports.repository import ImportRepository
from sim_service.provisioning.imports.schemas import ImportOut, ProblemOut
from sim_service.usage.streamer.service import assign_to_owners

_READER = "sim_service.provisioning.imports.reader_process"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """For whom, by whom, and how. `claims`: unclaimed SIMs are claimed."""

    organization_id: UUID
    user_id: UUID
    claims: bool
    dry_run: bool
    partial: bool


class ImportService:
    """Imports of one organisation. `seconds`: the longest that reading a file may take."""

    def __init__(self, sessions: Sessions, wanted: ImportOptions, *, seconds: float) -> None:
        self._sessions, self._wanted, self._seconds = sessions, wanted, seconds

    async def run(self, file: Path) -> ImportOut:
        """Import the file; raises 422 for one that cannot be read, or for bad rows unless `partial`."""
        rows, report = file.with_suffix(".rows"), file.with_suffix(".report")
        try:
            await run_in_subprocess(_READER, file, rows, report, seconds=self._seconds)
        except SubprocessFailed:
            raise _unreadable("the file takes more time or memory to read than it may", None) from None
        read = json.loads(report.read_text(encoding="utf-8"))
        if (refused := read["refused"]) is not None:
            raise _unreadable(refused["reason"], refused["row"])
        async with self._sessions() as session:
            out = await self._import(session, rows, read)
            if out.applied:
                await session.commit()
        if out.bad and not (out.dry_run or out.partial):
            raise Unprocessable(
                f"{out.bad} of {out.rows} rows cannot be imported, so none was",
                code="IMPORT_REFUSED",
                details=out.model_dump(mode="json"),
            )
        return out

    async def _import(self, session: AsyncSession, rows: Path, read: dict[str, Any]) -> ImportOut:
        wanted = self._wanted
        scope = Scope(wanted.organization_id)
        repository = ImportRepository(session, scope, claims=wanted.claims)
        await repository.stage(rows)
        await repository.lock()
        found = await _problems(repository)
        dropped = {problem["row"] for problem in found}
        shown = sorted([*read["problems"], *found], key=lambda one: one["row"])[:SHOWN_PROBLEMS]
        bad, total = read["bad"] + len(dropped), read["total"]
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
            ignored_columns=read["ignored"],
            problems=[ProblemOut(**one) for one in shown],
        )
        if out.applied:
            await self._write(session, repository, claimed)
        return out

    async def _write(
        self, session: AsyncSession, repository: ImportRepository, claimed: Sequence[str]
    ) -> None:
        scope = Scope(self._wanted.organization_id)
        await repository.write()
        await LabelRequests(session, scope).add(self._wanted.user_id)
        if claimed:
            await assign_to_owners(session, claimed)
        sims = SimService(session, scope)
        async for batch in repository.changed_sims():
            await sims.publish_updated(*batch)


async def _problems(repository: ImportRepository) -> list[dict[str, Any]]:
    """Row, column and reason, as the reader of the file gives them."""
    found = [(row.row, "iccid", "no such SIM") for row in await repository.unknown()]
    found += [(row.row, "device_id", "no such device") for row in await repository.unknown_devices()]
    for taken in await repository.taken_devices():
        found.append((taken.row, "device_id", f"the device already has the SIM {taken.iccid}"))
    return [{"row": row, "column": column, "reason": reason} for row, column, reason in found]


def _unreadable(reason: str, row: int | None) -> Unprocessable:
    problem = {"field": "file", "message": reason} | ({"row": row} if row is not None else {})
    where = f" (row {row})" if row is not None else ""
    return Unprocessable(f"file: {reason}{where}", code="IMPORT_UNREADABLE", details={"fields": [problem]})
