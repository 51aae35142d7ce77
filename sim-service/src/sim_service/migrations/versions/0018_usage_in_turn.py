"""Streamed usage that is to be published, by organisation: organisations take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_ROWS = sa.text("tell_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_sim_usage_tell_at_by_owner", "sim_usage", ["organization_id", "tell_at"], postgresql_where=_ROWS
    )
    op.drop_index("ix_sim_usage_tell_at", "sim_usage")


def downgrade() -> None:
    op.create_index("ix_sim_usage_tell_at", "sim_usage", ["tell_at"], postgresql_where=_ROWS)
    op.drop_index("ix_sim_usage_tell_at_by_owner", "sim_usage")
