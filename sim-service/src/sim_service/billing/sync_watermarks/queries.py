"""When the account's lists were last read; they belong to no organisation."""

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.billing.sync_watermarks.models import CarrierList, SyncWatermark


async def last_read(session: AsyncSession, name: CarrierList) -> datetime | None:
    return await session.scalar(select(SyncWatermark.read_at).where(SyncWatermark.name == name))


async def lock_list(session: AsyncSession, name: CarrierList) -> None:
    """Keep others from storing what the list shows, until the commit."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"looks/{name}"))))


async def mark_read(session: AsyncSession, name: CarrierList) -> None:
    now = datetime.now(UTC)
    statement = insert(SyncWatermark).values({SyncWatermark.name: name, SyncWatermark.read_at: now})
    changed = {SyncWatermark.read_at: now}
    await session.execute(statement.on_conflict_do_update(index_elements=[SyncWatermark.name], set_=changed))
