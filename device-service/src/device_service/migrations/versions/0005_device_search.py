"""Find devices by a part of their name or ICCID without reading all of an organisation."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
SEARCH_TEXT = "lower(name || ' ' || coalesce(iccid, ''))"


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    op.add_column(
        "t_devices",
        sa.Column("search_text", sa.Text(), sa.Computed(SEARCH_TEXT, persisted=True), nullable=False),
    )
    op.create_index(
        "ix_t_devices_search",
        "t_devices",
        ["organization_id", "search_text"],
        unique=False,
        postgresql_using="gin",
        postgresql_ops={"search_text": "gin_trgm_ops"},
    )


def downgrade() -> None:
    op.drop_index("ix_t_devices_search", "t_devices")
    op.drop_column("t_devices", "search_text")
