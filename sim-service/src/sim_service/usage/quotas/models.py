"""The tables `sim_quotas`, what is left for each SIM, and `quota_thresholds`, below which that is low."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Date, Double, ForeignKey, Index, Numeric, SmallInteger, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from fleet_kit.database import UtcDateTime
from sim_service.carrier.models import CarrierQuota, QuotaState
from sim_service.inventory.sims.cache_tags import quota_tag
from sim_service.platform.database import Base
from sim_service.usage.quotas.forecast import Forecast

Volume = Numeric(26, 9)
"""Megabytes or messages; a byte is about 0.000001 MB, so nine decimals keep every byte."""


_FACTS = ("remaining", "total", "last_added", "expires_at", "changed_at")
NEVER = date.max
"""A quota that nothing ends within the horizon of forecasts."""
_HOUR, _DAY, _OLD, _SOON = timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=14)


class SimQuota(Base):
    """One quota of one claimed SIM.

    `carrier_state` is the carrier's word, `state` by the threshold that its owner wants. The forecast
    (`exhausted_on`, the band, `per_day` over `basis_days`) goes out from what was left at `fetched_at`;
    `ends_on` is the first of exhaustion and expiry.
    """

    __tablename__ = "sim_quotas"

    iccid: Mapped[str] = mapped_column(ForeignKey("sims.iccid", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    remaining: Mapped[Decimal] = mapped_column(Volume)
    total: Mapped[Decimal] = mapped_column(Volume)
    threshold_percent: Mapped[int] = mapped_column(SmallInteger)
    last_added: Mapped[Decimal | None] = mapped_column(Volume)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(20))
    carrier_state: Mapped[str | None] = mapped_column(String(20))
    fetched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    exhausted_on: Mapped[date | None] = mapped_column(Date)
    exhausted_earliest: Mapped[date | None] = mapped_column(Date)
    exhausted_latest: Mapped[date | None] = mapped_column(Date)
    per_day: Mapped[float | None] = mapped_column(Double)
    basis_days: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    ends_on: Mapped[date] = mapped_column(Date, default=NEVER, server_default="infinity")

    __table_args__ = (
        Index("ix_sim_quotas_owner_state", "organization_id", "state"),
        Index("ix_sim_quotas_owner_ends", "organization_id", "kind", "ends_on", "iccid"),
        Index("ix_sim_quotas_ends", "kind", "ends_on", "iccid"),
    )

    def cache_tags(self) -> set[str]:
        return {quota_tag(self.iccid)}

    def update_from_carrier(self, facts: CarrierQuota, own_threshold: int | None = None) -> None:
        """Take the carrier's facts as of now; `own_threshold` (percent) goes before the carrier's."""
        for name in _FACTS:
            setattr(self, name, getattr(facts, name))
        self.carrier_state = facts.state
        self.threshold_percent = facts.threshold_percent if own_threshold is None else own_threshold
        self.state = facts.state if own_threshold is None else self._state_at(facts.remaining)
        self.fetched_at = datetime.now(UTC)

    def apply_forecast(self, forecast: Forecast) -> None:
        """Take a forecast that goes out from what was left at `fetched_at`."""
        self.exhausted_on, self.exhausted_earliest = forecast.exhausted_on, forecast.earliest
        self.exhausted_latest = forecast.latest
        self.per_day, self.basis_days = forecast.per_day, forecast.basis_days
        expiry = self.expires_at.date() if self.expires_at else NEVER
        self.ends_on = min(forecast.exhausted_on or NEVER, expiry)

    def is_due(self, now: datetime, wanted_percent: int | None) -> bool:
        """Whether it should be asked for again; `wanted_percent`: the threshold that its owner wants now."""
        age = now - self.fetched_at
        if age >= _OLD or (wanted_percent is not None and wanted_percent != self.threshold_percent):
            return True
        soonest = min(self.exhausted_earliest or NEVER, self.ends_on)
        if age >= _DAY and soonest <= (now + _SOON).date():
            return True
        used = Decimal((self.per_day or 0.0) * (age / _DAY))
        return age >= _HOUR and self._state_at(self.remaining - used) != self.state

    def _state_at(self, remaining: Decimal) -> QuotaState:
        if self.carrier_state == QuotaState.EXPIRED:
            return QuotaState.EXPIRED
        if remaining <= 0 or self.carrier_state == QuotaState.EXHAUSTED:
            return QuotaState.EXHAUSTED
        return QuotaState.LOW if remaining * 100 <= self.total * self.threshold_percent else QuotaState.OK


class QuotaThreshold(Base):
    """An organisation's own threshold in percent; `iccid` empty: for all of its SIMs."""

    __tablename__ = "quota_thresholds"

    organization_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    iccid: Mapped[str] = mapped_column(String(19), primary_key=True, default="")
    percent: Mapped[int] = mapped_column(SmallInteger)
