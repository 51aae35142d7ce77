"""The table `sims`: what the carrier says of each SIM, its owner and its device."""

from dataclasses import fields
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Boolean, Computed, Index, String, Text, Uuid, func, text
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.carrier.facts import CarrierSim
from sim_service.database import Base

_SEARCHED = ("iccid", "iccid_with_luhn", "imsi", "imsi_2", "msisdn", "imei", "ip_address", "label")
_SEARCH_TEXT = "lower(" + " || ' ' || ".join(f"coalesce({name}, '')" for name in _SEARCHED) + ")"

CARRIER_FACTS = tuple(field.name for field in fields(CarrierSim) if field.name != "iccid")


class Sim(Base):
    """A SIM. `organization_id` None: claimed by nobody; `missing_since`: the carrier no longer lists it.

    `synced_at` is when the row last took something from the carrier; a sync that finds nothing new leaves
    the row alone; its start vouches for every such row (see SimOut.of).
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
    activated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    data_quota_state: Mapped[str | None] = mapped_column(String(20))
    sms_quota_state: Mapped[str | None] = mapped_column(String(20))

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
    )

    def take_over(self, facts: CarrierSim) -> frozenset[str]:
        """Take the carrier's facts; the names of those that changed. What it leaves out is forgotten."""
        changed = set()
        for name in CARRIER_FACTS:
            value = getattr(facts, name)
            if getattr(self, name) != value:
                setattr(self, name, value)
                changed.add(name)
        if self.missing_since is not None:
            self.missing_since = None
            changed.add("missing_since")
        if changed:
            self.synced_at = self.updated_at = datetime.now(UTC)
        return frozenset(changed)

    def vouch(self) -> None:
        """The carrier was asked for this SIM just now."""
        self.synced_at = datetime.now(UTC)

    def link(self, device_id: UUID | None) -> bool:
        """Put the SIM into a device or take it out (None); whether that changed anything."""
        if self.device_id == device_id:
            return False
        self.device_id = device_id
        self.updated_at = datetime.now(UTC)
        return True

    def claim(self, organization_id: UUID) -> bool:
        """Give an unclaimed SIM its owner; whether that changed anything."""
        if self.organization_id == organization_id:
            return False
        self.organization_id = organization_id
        self.updated_at = datetime.now(UTC)
        return True
