"""Labels of SIMs that were given back, which the carrier still shows and the next owner is not to read."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"

_HIDE = """
    UPDATE sims SET released_labels = ARRAY[btrim(label)], label = ''
    WHERE organization_id IS NULL AND btrim(label) <> '' AND iccid IN (SELECT iccid FROM sim_releases)
"""


def upgrade() -> None:
    labels = sa.Column[list[str]](
        "released_labels", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False
    )
    op.add_column("sims", labels)
    op.execute(_HIDE)


def downgrade() -> None:
    op.drop_column("sims", "released_labels")
