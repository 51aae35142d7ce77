from typing import Any, Literal
from uuid import UUID

from pydantic import field_validator

from fleet_kit.schemas import ResponseModel, StrictModel, Timestamp
from sim_service.carrier.models import SimChange, SimStatus
from sim_service.inventory.sims.fields import Label, Metadata, Tags
from sim_service.inventory.sims.schemas import SimOut
from sim_service.lifecycle.actions.models import ActionKind, ActionState


class SimPatch(StrictModel):
    """Only what is named changes. `label`, `imei_lock` and `status` are changes at the carrier.

    `tags` and `metadata` (at most 8 KiB of JSON) are the organisation's own and are replaced as a whole.
    """

    label: Label | None = None
    imei_lock: bool | None = None
    status: Literal[SimStatus.ENABLED, SimStatus.DISABLED] | None = None
    tags: Tags | None = None
    metadata: Metadata | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _is_not_null(cls, value: Any) -> Any:
        if value is None:
            raise ValueError("cannot be null")
        return value

    def change(self) -> SimChange:
        return SimChange(status=self.status, label=self.label, imei_lock=self.imei_lock)


class ActionOut(ResponseModel):
    """A change at the carrier, or (`what`: `drift`) the note that the carrier changed the status itself.

    `pending`: the carrier has not been told yet; `sent`: it has, but does not show it yet.
    """

    id: UUID
    iccid: str
    what: ActionKind
    wanted: str | bool
    state: ActionState
    attempts: int
    reason: str | None
    requested_by: UUID | None
    created_at: Timestamp
    finished_at: Timestamp | None


class SimChanged(SimOut):
    """The SIM as it is now, and the actions that will bring the rest about."""

    actions: list[ActionOut]
