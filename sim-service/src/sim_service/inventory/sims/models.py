"""The table `sims`: what the carrier says of each SIM, what is wanted of it, its owner and its device."""

from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Computed, Index, String, Text, Uuid, false, func, inspect, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.carrier.models import CarrierSim, SimStatus
from sim_service.inventory.sims.cache_tags import sim_tags
from sim_service.platform.database import Base

_SEARCHED = ("iccid", "iccid_with_luhn", "imsi", "imsi_2", "msisdn", "imei", "ip_address", "label")
_SEARCH_TEXT = "lower(" + " || ' ' || ".join(f"coalesce({name}, '')" for name in _SEARCHED) + ")"

CARRIER_FACTS = tuple(field.name for field in fields(CarrierSim) if field.name != "iccid")

_RARE = (
    ("ix_sims_owner_linked", ("organization_id",), "device_id IS NOT NULL"),
    ("ix_sims_owner_missing", ("organization_id",), "missing_since IS NOT NULL"),
    ("ix_sims_owner_desired", ("organization_id", "desired_status"), "desired_status IS NOT NULL"),
    ("ix_sims_owner_data_quota", ("organization_id", "data_quota_state"), "data_quota_state <> 'ok'"),
    ("ix_sims_owner_sms_quota", ("organization_id", "sms_quota_state"), "sms_quota_state <> 'ok'"),
)
"""Indexes of what few SIMs are: small, and written only for those."""


DRIFT_ROWS = text("drift_due_at IS NOT NULL")


class Lifecycle(StrEnum):
    """Where a SIM stands between what is wanted and what is.

    ENABLING, DISABLING: asked of the carrier, not yet seen there. DRIFTED: the carrier changed it by itself.
    FAILED: given up, see its actions. UNKNOWN: the carrier's word for it is not known.
    """

    ENABLED = "enabled"
    DISABLED = "disabled"
    ENABLING = "enabling"
    DISABLING = "disabling"
    DRIFTED = "drifted"
    FAILED = "failed"
    UNKNOWN = "unknown"


_UNDER_WAY = {SimStatus.ENABLED: Lifecycle.ENABLING, SimStatus.DISABLED: Lifecycle.DISABLING}


class Sim(Base):
    """A SIM. `organization_id` None: claimed by nobody; `missing_since`: the carrier no longer lists it.

    `synced_at` is when the row last took something from the carrier; a sync that finds nothing new leaves
    the row alone; its start confirms every such row (see SimOut.of). `desired_status` None: nobody ever
    asked for one. `drift_due_at`: when a state that nobody asked for is to be looked at again. `tags` and
    `details` (metadata) are its owner's own; the carrier does not know them. `label_hidden`: the
    carrier may still show what a previous owner called it, which nobody else is to read.
    """

    __tablename__ = "sims"

    iccid: Mapped[str] = mapped_column(String(19), primary_key=True)
    carrier: Mapped[str] = mapped_column(String(20))
    organization_id: Mapped[UUID | None] = mapped_column(Uuid)
    device_id: Mapped[UUID | None] = mapped_column(Uuid, unique=True)

    status: Mapped[str] = mapped_column(String(20))
    iccid_with_luhn: Mapped[str | None] = mapped_column(String(22))
    imsi: Mapped[str | None] = mapped_column(String(20))
    imsi_2: Mapped[str | None] = mapped_column(String(20))
    current_imsi: Mapped[str | None] = mapped_column(String(20))
    msisdn: Mapped[str | None] = mapped_column(String(20))
    imei: Mapped[str | None] = mapped_column(String(20))
    imei_lock: Mapped[bool | None] = mapped_column(Boolean)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    label: Mapped[str] = mapped_column(String(255), server_default="")
    label_hidden: Mapped[bool] = mapped_column(Boolean, server_default=false())
    activated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    data_quota_state: Mapped[str | None] = mapped_column(String(20))
    sms_quota_state: Mapped[str | None] = mapped_column(String(20))

    desired_status: Mapped[str | None] = mapped_column(String(20))
    lifecycle: Mapped[str] = mapped_column(String(20), server_default=Lifecycle.UNKNOWN)
    drift_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSONB, server_default=text("'{}'"))

    missing_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    synced_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, server_default=func.now())
    search_text: Mapped[str] = mapped_column(Text, Computed(_SEARCH_TEXT, persisted=True), deferred=True)

    __table_args__ = (
        Index("ix_sims_owner_iccid", "organization_id", "iccid"),
        Index("ix_sims_owner_label", "organization_id", "label", "iccid"),
        Index("ix_sims_owner_status", "organization_id", "status", "iccid"),
        Index("ix_sims_owner_created", "organization_id", "created_at", "iccid"),
        Index("ix_sims_owner_updated", "organization_id", "updated_at", "iccid"),
        Index(
            "ix_sims_search",
            "search_text",
            postgresql_using="gin",
            postgresql_ops={"search_text": "gin_trgm_ops"},
        ),
        Index("ix_sims_unclaimed", "iccid", postgresql_where=text("organization_id IS NULL")),
        Index("ix_sims_owner_lifecycle", "organization_id", "lifecycle", "iccid"),
        Index("ix_sims_owner_tags", "organization_id", "tags", postgresql_using="gin"),
        Index("ix_sims_label", "label", "iccid"),
        Index("ix_sims_status", "status", "iccid"),
        Index("ix_sims_created", "created_at", "iccid"),
        Index("ix_sims_updated", "updated_at", "iccid"),
        *(Index(name, *columns, "iccid", postgresql_where=text(where)) for name, columns, where in _RARE),
        Index("ix_sims_drift_due_by_owner", "organization_id", "drift_due_at", postgresql_where=DRIFT_ROWS),
    )

    def cache_tags(self) -> set[str]:
        """See platform.cache; a SIM that changes hands outdates the lists of both owners."""
        previous = inspect(self).attrs.organization_id.history.deleted
        return sim_tags(self.iccid, self.organization_id, *(previous or ()))

    def update_from_carrier(self, facts: CarrierSim) -> frozenset[str]:
        """Take the carrier's facts; the names of those that changed. What it leaves out is forgotten."""
        read = {name: getattr(facts, name) for name in CARRIER_FACTS} | {"missing_since": None}
        if self.label_hidden:
            read["label"] = ""
        changed = self._change(**read)
        if "status" in changed:
            self._notice()
        if changed:
            self.synced_at = self.updated_at
        return changed

    def mark_synced(self) -> None:
        self.synced_at = datetime.now(UTC)

    def link(self, device_id: UUID | None) -> bool:
        """Put the SIM into a device or take it out (None); whether that changed anything."""
        return bool(self._change(device_id=device_id))

    def claim(self, organization_id: UUID) -> bool:
        """Give an unclaimed SIM its owner; whether that changed anything."""
        return bool(self._change(organization_id=organization_id))

    def release(self) -> None:
        """Remove the owner, and with it the owner's notes, label and desired state."""
        self.organization_id, self.tags, self.details = None, [], {}
        self.label, self.label_hidden = "", True
        self.settle(None)

    def has_label(self, label: str) -> bool:
        """Whether the carrier calls it so; False while what the carrier calls it is hidden."""
        return self.label == label and not self.label_hidden

    def set_desired_status(self, status: SimStatus) -> None:
        """Note the status that is to be brought about at the carrier."""
        self.desired_status, self.lifecycle, self.drift_due_at = status, _UNDER_WAY[status], None
        self.updated_at = datetime.now(UTC)

    def settle(self, desired: str | None) -> None:
        """Nothing is under way any more; `desired` is what is wanted from now on (None: whatever it is)."""
        self.desired_status, self.drift_due_at = desired, None
        self.lifecycle = self.status if desired in {None, self.status} else Lifecycle.DRIFTED
        self.updated_at = datetime.now(UTC)

    def give_up(self) -> None:
        """What was wanted cannot be had, unless the carrier has it meanwhile."""
        self.lifecycle = self.status if self.status == self.desired_status else Lifecycle.FAILED
        self.updated_at = datetime.now(UTC)

    def describe(self, tags: list[str] | None, details: dict[str, Any] | None) -> bool:
        """Replace its owner's own notes, None leaves them; whether that changed anything."""
        wanted = {"tags": tags, "details": details}
        return bool(self._change(**{name: value for name, value in wanted.items() if value is not None}))

    def _change(self, **values: Any) -> frozenset[str]:
        """Set columns; the names of those that had another value."""
        changed = frozenset(name for name, value in values.items() if getattr(self, name) != value)
        for name in changed:
            setattr(self, name, values[name])
        if changed:
            self.updated_at = datetime.now(UTC)
        return changed

    def _notice(self) -> None:
        """Judge a status that just came from the carrier; one under way is judged by who brings it about."""
        if self.lifecycle in _UNDER_WAY.values():
            return
        as_desired = self.desired_status in {None, self.status} or self.status == SimStatus.UNKNOWN
        if as_desired:
            self.lifecycle, self.drift_due_at = self.status, None
        elif self.lifecycle != Lifecycle.FAILED:
            self.lifecycle, self.drift_due_at = Lifecycle.DRIFTED, datetime.now(UTC)


IN_SERVICE = (Sim.organization_id.is_not(None), Sim.missing_since.is_(None))
"""The conditions of SIMs that have an owner and are listed by the carrier: only these are polled."""
