from uuid import UUID

from fleet_kit.schemas import ResponseModel


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
