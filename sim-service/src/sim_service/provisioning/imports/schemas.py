from enum import StrEnum
from uuid import UUID

from fleet_kit.schemas import ResponseModel


class Claims(StrEnum):
    """Which unclaimed SIMs an import may claim: none, those that the organisation ordered, or any."""

    NONE = "none"
    ORDERED = "ordered"
    ANY = "any"


class ProblemOut(ResponseModel):
    """What is wrong: `row` as the spreadsheet counts (the headers are row 1), `column` by its name."""

    row: int
    column: str | None
    reason: str


class ImportOut(ResponseModel):
    """What an import did, or would do (`dry_run`); `applied`: whether anything was written.

    `labels` are changes at the carrier: they follow as actions of their SIMs. `updated` counts the SIMs that
    were claimed, linked, tagged or given metadata. At most 1,000 problems are shown.
    """

    organization_id: UUID
    dry_run: bool
    partial: bool
    applied: bool
    rows: int
    good: int
    bad: int
    claimed: int
    linked: int
    labels: int
    updated: int
    ignored_columns: list[str]
    problems: list[ProblemOut]


class StoredImportOut(ResponseModel):
    """An import that is a job; `report` null: not imported yet, unreadable, or replaced by a later one."""

    job_id: UUID
    report: ImportOut | None
