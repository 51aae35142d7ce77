"""The table `sim_connectivity`: how each SIM stood in the network when it was last asked about."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, ForeignKey, String, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.carrier.models import CarrierConnectivity, CellInfo, DataSession, NetworkState
from sim_service.platform.database import Base

_FACTS = (
    "state", "operator", "operator_id", "country", "country_name", "mcc", "mnc", "last_updated_at",
    "limit_reached",
)  # fmt: skip


class SimConnectivity(Base):
    """One claimed SIM. `last_updated_at`: the network's last sign of it; `session` None: no data session.

    `cell` is the answer of the visited network at `cell_fetched_at`. `reset_requested_at`: when a reset was
    last asked for; it takes the network a while. `fetched_at` None: the state was never read.
    """

    __tablename__ = "sim_connectivity"

    iccid: Mapped[str] = mapped_column(ForeignKey("sims.iccid", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    state: Mapped[str] = mapped_column(String(20))
    operator: Mapped[str | None] = mapped_column(String(255))
    operator_id: Mapped[str | None] = mapped_column(String(20))
    country: Mapped[str | None] = mapped_column(String(2))
    country_name: Mapped[str | None] = mapped_column(String(255))
    mcc: Mapped[str | None] = mapped_column(String(3))
    mnc: Mapped[str | None] = mapped_column(String(3))
    last_updated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    limit_reached: Mapped[bool | None] = mapped_column(Boolean)
    services: Mapped[list[str]] = mapped_column(ARRAY(Text))
    session: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cell: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    cell_fetched_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    reset_requested_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    def begin(self, organization_id: UUID) -> None:
        """Start empty for a new owner: what is stored belongs to the previous one."""
        self.organization_id = organization_id
        self.update_from_carrier(CarrierConnectivity(NetworkState.UNKNOWN))
        self.fetched_at = self.cell = self.cell_fetched_at = self.reset_requested_at = None

    def update_from_carrier(self, facts: CarrierConnectivity) -> datetime:
        """Take the carrier's facts as of now, which is returned."""
        for name in _FACTS:
            setattr(self, name, getattr(facts, name))
        self.services = list(facts.services)
        self.session = None if facts.session is None else _stored(facts.session)
        self.fetched_at = now = datetime.now(UTC)
        return now

    def take_cell(self, cell: CellInfo) -> datetime:
        """Take the visited network's answer as of now, which is returned."""
        self.cell = _stored(cell)
        self.cell_fetched_at = now = datetime.now(UTC)
        return now

    def attached_is_stale(self, trusted_seconds: float) -> bool:
        """Whether ATTACHED stands there without a sign of the device for longer than `trusted_seconds`."""
        if self.state != NetworkState.ATTACHED or self.last_updated_at is None:
            return False
        return (datetime.now(UTC) - self.last_updated_at).total_seconds() > trusted_seconds


def _stored(record: DataSession | CellInfo) -> dict[str, Any]:
    """The record as JSON, moments in ISO 8601."""
    values = asdict(record)
    return {name: one.isoformat() if isinstance(one, datetime) else one for name, one in values.items()}
