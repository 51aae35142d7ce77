"""The table `import_rows`, which lives as long as the transaction of one import."""

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

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
"""`claimed`: was nobody's; `moved`: gets another device; `relabelled`: its label has to change."""
