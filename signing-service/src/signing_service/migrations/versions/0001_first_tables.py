"""First tables: organisations, users, sessions, denylist, outbox, idempotency keys."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "t_blacklist_tokens",
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('jti', 'sid')", name=op.f("ck_t_blacklist_tokens_kind")),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_t_blacklist_tokens")),
    )
    op.create_index(
        op.f("ix_t_blacklist_tokens_created_at"), "t_blacklist_tokens", ["created_at"], unique=False
    )
    op.create_index(
        op.f("ix_t_blacklist_tokens_expires_at"), "t_blacklist_tokens", ["expires_at"], unique=False
    )
    op.create_table(
        "t_idempotency_keys",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_t_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_t_idempotency_keys_created_at"), "t_idempotency_keys", ["created_at"], unique=False
    )
    op.create_table(
        "t_organizations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_t_organizations")),
    )
    op.create_table(
        "t_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), nullable=False),
        sa.Column("aggregate", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_t_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_t_outbox_event_id")),
    )
    op.create_index(
        "ix_t_outbox_sent_at",
        "t_outbox",
        ["sent_at"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NOT NULL"),
    )
    op.create_index(
        "ix_t_outbox_unsent",
        "t_outbox",
        ["bucket", "id"],
        unique=False,
        postgresql_where=sa.text("sent_at IS NULL"),
    )
    op.create_table(
        "t_users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("role IN ('viewer', 'operator', 'admin')", name=op.f("ck_t_users_role")),
        sa.ForeignKeyConstraint(
            ["organization_id"],
            ["t_organizations.id"],
            name=op.f("fk_t_users_organization_id_t_organizations"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_t_users")),
        sa.UniqueConstraint("email", name=op.f("uq_t_users_email")),
    )
    op.create_index("ix_t_users_organization_id", "t_users", ["organization_id", "id"], unique=False)
    op.create_table(
        "t_refresh_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["t_users.id"], name=op.f("fk_t_refresh_tokens_user_id_t_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_t_refresh_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_t_refresh_tokens_token_hash")),
    )
    op.create_index(op.f("ix_t_refresh_tokens_expires_at"), "t_refresh_tokens", ["expires_at"], unique=False)
    op.create_index("ix_t_refresh_tokens_session_id", "t_refresh_tokens", ["session_id"], unique=False)
    op.create_index(op.f("ix_t_refresh_tokens_user_id"), "t_refresh_tokens", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_t_refresh_tokens_user_id"), table_name="t_refresh_tokens")
    op.drop_index("ix_t_refresh_tokens_session_id", table_name="t_refresh_tokens")
    op.drop_index(op.f("ix_t_refresh_tokens_expires_at"), table_name="t_refresh_tokens")
    op.drop_table("t_refresh_tokens")
    op.drop_index("ix_t_users_organization_id", table_name="t_users")
    op.drop_table("t_users")
    op.drop_index("ix_t_outbox_unsent", table_name="t_outbox", postgresql_where=sa.text("sent_at IS NULL"))
    op.drop_index(
        "ix_t_outbox_sent_at", table_name="t_outbox", postgresql_where=sa.text("sent_at IS NOT NULL")
    )
    op.drop_table("t_outbox")
    op.drop_table("t_organizations")
    op.drop_index(op.f("ix_t_idempotency_keys_created_at"), table_name="t_idempotency_keys")
    op.drop_table("t_idempotency_keys")
    op.drop_index(op.f("ix_t_blacklist_tokens_expires_at"), table_name="t_blacklist_tokens")
    op.drop_index(op.f("ix_t_blacklist_tokens_created_at"), table_name="t_blacklist_tokens")
    op.drop_table("t_blacklist_tokens")
