"""The table `import_rows`, which lives as long as the transaction of one import."""

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Executable,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from sim_service.inventory.sims.models import Sim

staged = Table(
    "import_rows",
    MetaData(),
    Column("row", Integer, nullable=False),
    Column("iccid", String(19), primary_key=True),
    Column("label", Text),
    Column("tags", ARRAY(Text)),
    Column("metadata", JSONB),
    Column("device_id", Uuid),
    Column("action_id", Uuid),
    Column("claimed", Boolean, nullable=False, server_default=text("false")),
    Column("moved", Boolean, nullable=False, server_default=text("false")),
    Column("relabelled", Boolean, nullable=False, server_default=text("false")),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""`claimed`: had no owner; `moved`: gets another device; `relabelled`: its label has to change."""


def same_sim() -> ColumnElement[bool]:
    return Sim.iccid == staged.c.iccid


async def run_on_many(session: AsyncSession, statement: Executable) -> None:
    """Execute a change of many rows; the session's entities are not updated."""
    await session.execute(statement.execution_options(synchronize_session=False))
