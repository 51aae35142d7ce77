"""An index of the sessions that a user has open: each login counts them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_index(
        "ix_t_refresh_tokens_live",
        "t_refresh_tokens",
        ["user_id", "id"],
        unique=False,
        postgresql_where=sa.text("used_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_t_refresh_tokens_live",
        table_name="t_refresh_tokens",
        postgresql_where=sa.text("used_at IS NULL"),
    )
