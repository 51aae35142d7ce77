"""Tags, metadata, releases, and what is to become of a SIM."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
