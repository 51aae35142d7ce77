"""Figures of an organisation at a glance."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from fleet_kit.principal import Principal
from monitoring_service.directory.service import DirectoryService
from monitoring_service.rejected.service import RejectedQueries
from monitoring_service.stats.census import CensusTaker
from monitoring_service.stats.schemas import StatsOut
from monitoring_service.store.client import Store
from monitoring_service.store.counts import Counts
from monitoring_service.store.reads import BudgetedReads, timed_out


@dataclass(frozen=True, slots=True)
class StatsQueries:
    """Counts what one may see."""

    store: Store
    counts: Counts
    census: CensusTaker
    rejected_retention: timedelta

    async def read(self, user: Principal, reads: BudgetedReads) -> StatsOut:
        """The figures; raises QueryTimedOut while so many devices are being counted for the first time."""
        scope = user.scope
        directory = DirectoryService(self.store, scope, reads)
        organizations = await directory.organizations()
        census, alerts, rejected, (total, last_hour) = await asyncio.gather(
            self.census.read(scope, user.organization_id, reads.seconds),
            directory.count_open_alerts(),
            RejectedQueries(self.store, scope, self.rejected_retention, reads).count(),
            self.counts.total(organizations, reads),
        )
        if census is None:
            raise timed_out(reads.seconds)
        return StatsOut(
            devices=census.devices,
            online=census.online,
            readings_total=total,
            readings_last_hour=last_hour,
            rejected=rejected,
            alerts_open=alerts,
        )
