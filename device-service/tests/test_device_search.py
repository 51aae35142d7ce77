"""A search by a part of a name costs what it finds."""

from uuid import uuid4

from fastapi import FastAPI
from sqlalchemy import text

from device_service.devices.repository import DeviceRepository
from device_service.devices.schemas import DeviceQuery
from fleet_kit.pagination import PageParams
from fleet_kit.scope import Scope

MANY = """
INSERT INTO t_devices (id, organization_id, name, type, iccid, created_at, updated_at)
SELECT gen_random_uuid(), :owner, 'Pump ' || md5(n::text), 'pump', '898828067' || lpad(n::text, 10, '0'),
    now() - n * interval '1 s', now()
FROM generate_series(1, 10000) AS n
"""
READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 't_devices'"
TIMES = 8


async def test_a_search_reads_what_it_finds_however_often_it_was_made(app: FastAPI) -> None:
    """Postgres forgets the values of a statement after five times, if nobody tells it not to."""
    owner = uuid4()
    async with app.state.sessions() as session:
        await session.execute(text(MANY), {"owner": owner})
        await session.execute(text("ANALYZE t_devices"))
        before = await session.scalar(text(READ))
        for _ in range(TIMES):
            found = await DeviceRepository(session, Scope(owner)).page(
                DeviceQuery(search="0000009876"), PageParams()
            )
            assert found.total == 1
        assert await session.scalar(text(READ)) - before < TIMES * 200
        await session.rollback()
