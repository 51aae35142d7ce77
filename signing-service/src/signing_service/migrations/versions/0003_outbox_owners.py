"""Whose an event of the outbox is: organisations take turns."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_UNSENT = sa.text("sent_at IS NULL")


def upgrade() -> None:
    nobody = sa.text("'00000000-0000-0000-0000-000000000000'")
    op.add_column("t_outbox", sa.Column("owner", sa.Uuid(), server_default=nobody, nullable=False))
    for name, columns in (
        ("ix_t_outbox_unsent_by_owner", ["bucket", "owner", "id"]),
        ("ix_t_outbox_unsent_by_aggregate", ["aggregate", "id"]),
    ):
        op.create_index(name, "t_outbox", columns, postgresql_where=_UNSENT)
    op.drop_index("ix_t_outbox_unsent", "t_outbox")


def downgrade() -> None:
    op.create_index("ix_t_outbox_unsent", "t_outbox", ["bucket", "id"], postgresql_where=_UNSENT)
    op.drop_index("ix_t_outbox_unsent_by_aggregate", "t_outbox")
    op.drop_index("ix_t_outbox_unsent_by_owner", "t_outbox")
    op.drop_column("t_outbox", "owner")
