"""The rules of imports: all rows or none, unless only the good ones are asked for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from fleet_kit.database import Sessions
from fleet_kit.errors import Unprocessable
from fleet_kit.scope import Scope
from sim_service.imports.parsing import SHOWN_PROBLEMS
from sim_service.imports.repository import ImportRepository
from sim_service.imports.schemas import ImportOut, ProblemOut
from sim_service.isolated import IsolatedFailed, run_isolated
from sim_service.push.service import adopt
from sim_service.sims.service import SimService

_READER = "sim_service.imports.reader"


@dataclass(frozen=True, slots=True)
class Wanted:
    """For whom, by whom, and how. `claims`: unclaimed SIMs are taken over."""

    organization_id: UUID
    user_id: UUID
    claims: bool
    dry_run: bool
    partial: bool


class ImportService:
    """Imports of one organisation. `seconds`: the longest that reading a file may take."""

    def __init__(self, sessions: Sessions, wanted: Wanted, *, seconds: float) -> None:
        self._sessions, self._wanted, self._seconds = sessions, wanted, seconds

    async def run(self, file: Path) -> ImportOut:
        """Import the file; raises 422 for one that cannot be read, or for bad rows unless `partial`."""
        rows, report = file.with_suffix(".rows"), file.with_suffix(".report")
        try:
            await run_isolated(_READER, file, rows, report, seconds=self._seconds)
        except IsolatedFailed:
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

    async def _import(self, session: AsyncSession, rows: Path, read: dict[str, object]) -> ImportOut:
        wanted = self._wanted
        repository = ImportRepository(session, Scope(wanted.organization_id), claims=wanted.claims)
        await repository.stage(rows)
        await repository.lock()
        problems = [ProblemOut.model_validate(one) for one in _list(read["problems"])]
        found = await _problems(repository)
        dropped = {problem.row for problem in found}
        bad, total = int(str(read["bad"])) + len(dropped), int(str(read["total"]))
        await repository.drop(sorted(dropped))
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
            labels=await repository.labels(),
            updated=await repository.changed(),
            ignored_columns=[str(name) for name in _list(read["ignored"])],
            problems=sorted([*problems, *found], key=lambda one: one.row)[:SHOWN_PROBLEMS],
        )
        if out.applied:
            await self._write(session, repository, claimed)
        return out

    async def _write(
        self, session: AsyncSession, repository: ImportRepository, claimed: Sequence[str]
    ) -> None:
        await repository.write()
        await repository.ask_for_labels(self._wanted.user_id)
        if claimed:
            await adopt(session, claimed)
        sims = SimService(session, Scope(self._wanted.organization_id))
        async for batch in repository.told():
            await sims.tell(*batch)


async def _problems(repository: ImportRepository) -> list[ProblemOut]:
    """What only the database knows."""
    unknown = [_problem(row.row, "iccid", "no such SIM") for row in await repository.unknown()]
    strange = [_problem(row.row, "device_id", "no such device") for row in await repository.strange_devices()]
    taken = [
        _problem(row.row, "device_id", f"the device already has the SIM {row.iccid}")
        for row in await repository.taken_devices()
    ]
    return [*unknown, *strange, *taken]


def _problem(row: int, column: str, reason: str) -> ProblemOut:
    return ProblemOut(row=row, column=column, reason=reason)


def _list(value: object) -> list[object]:
    assert isinstance(value, list)
    return value


def _unreadable(reason: str, row: int | None) -> Unprocessable:
    problem = {"field": "file", "message": reason} | ({"row": row} if row is not None else {})
    where = f" (row {row})" if row is not None else ""
    return Unprocessable(f"file: {reason}{where}", code="IMPORT_UNREADABLE", details={"fields": [problem]})
