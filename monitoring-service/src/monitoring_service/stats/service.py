"""Figures of an organisation at a glance."""

import asyncio
from datetime import UTC, datetime, timedelta

from fleet_kit.scope import Scope
from monitoring_service.directory.service import DirectoryService
from monitoring_service.latest.service import LatestQueries
from monitoring_service.rejected.service import RejectedQueries
from monitoring_service.stats.schemas import StatsOut
from monitoring_service.store.client import Store
from monitoring_service.store.counts import Counts


async def stats(store: Store, counts: Counts, scope: Scope, offline_after: timedelta) -> StatsOut:
    """Count what the scope sees."""
    directory = DirectoryService(store, scope)
    organizations = await directory.organizations()
    since = datetime.now(UTC) - offline_after
    (devices, alerts), online, rejected, (total, last_hour) = await asyncio.gather(
        directory.count(),
        LatestQueries(store, scope).online(since),
        RejectedQueries(store, scope).count(),
        counts.total(organizations),
    )
    return StatsOut(
        devices=devices,
        online=online,
        readings_total=total,
        readings_last_hour=last_hour,
        rejected=rejected,
        alerts_open=alerts,
    )
