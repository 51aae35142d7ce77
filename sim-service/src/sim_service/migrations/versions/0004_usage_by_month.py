"""Usage in monthly partitions, by day and hour, by source, with a rollup for each organisation and day.

Where TimescaleDB is loaded the same tables become hypertables and the rollup a continuous aggregate; see
docs/usage.md. Partitions live in a schema of their own, so that the list of tables stays readable.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BEHIND, AHEAD = 14, 3
"""Months for which partitions are made at once; `usage.upkeep` makes the later ones."""

VOLUMES = ("data_mo_bytes", "data_mt_bytes", "sms_mo", "sms_mt")
PARTITIONED = {
    "sim_usage": "day",
    "sim_usage_hours": "hour",
    "stream_records": "month",
    "device_usage": "hour",
}
ROLL_UP = """
CREATE FUNCTION roll_up_usage_$event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO organization_usage AS kept
    SELECT organization_id, day, sum(mo), sum(mt), sum(sms_mo), sum(sms_mt)
    FROM ($changes) AS changed (organization_id, day, mo, mt, sms_mo, sms_mt)
    GROUP BY organization_id, day
    HAVING sum(mo) <> 0 OR sum(mt) <> 0 OR sum(sms_mo) <> 0 OR sum(sms_mt) <> 0
    ORDER BY organization_id, day
    ON CONFLICT (organization_id, day) DO UPDATE SET
        data_mo_bytes = kept.data_mo_bytes + excluded.data_mo_bytes,
        data_mt_bytes = kept.data_mt_bytes + excluded.data_mt_bytes,
        sms_mo = kept.sms_mo + excluded.sms_mo,
        sms_mt = kept.sms_mt + excluded.sms_mt;
    RETURN NULL;
END $$
"""
CONTINUOUS = """
CREATE MATERIALIZED VIEW organization_usage
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT organization_id, time_bucket(INTERVAL '1 day', day) AS day,
    sum(data_mo_bytes)::bigint AS data_mo_bytes, sum(data_mt_bytes)::bigint AS data_mt_bytes,
    sum(sms_mo)::bigint AS sms_mo, sum(sms_mt)::bigint AS sms_mt
FROM sim_usage GROUP BY organization_id, time_bucket(INTERVAL '1 day', day) WITH NO DATA
"""
OWNER = {"sim_usage": "iccid", "sim_usage_hours": "iccid", "device_usage": "device_id"}


def upgrade() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS partitions")
    op.rename_table("sim_usage", "sim_usage_before")
    op.execute("ALTER INDEX pk_sim_usage RENAME TO pk_sim_usage_before")
    op.execute("DROP INDEX ix_sim_usage_owner_day")
    timescale = _timescale()
    _usage_tables({} if timescale else {table: f"RANGE ({key})" for table, key in PARTITIONED.items()})
    _other_tables()
    if timescale:
        _hypertables()
    else:
        _partitions()
        _rollup()
    op.execute(
        "INSERT INTO sim_usage (organization_id, iccid, day, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt,"
        " recorded_at, carrier_at) SELECT *, recorded_at FROM sim_usage_before"
    )
    op.drop_table("sim_usage_before")
    op.create_index(
        "ix_sim_usage_states_owner_fetched", "sim_usage_states", ["organization_id", "fetched_at"]
    )
    op.create_index("ix_sim_releases_iccid", "sim_releases", ["iccid", "released_at"])


def _timescale() -> bool:
    """Whether TimescaleDB can be had: known to the server, and loaded (else CREATE ends the connection)."""
    ready = op.get_bind().scalar(
        sa.text(
            "SELECT current_setting('timescaledb.max_background_workers', true) IS NOT NULL"
            " AND EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb')"
        )
    )
    if ready:
        op.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return bool(ready)


def _volumes(prefix: str = "", default: str | None = None) -> list[sa.Column[int]]:
    return [
        sa.Column(
            f"{prefix}{name}",
            sa.BigInteger() if name.startswith("data") else sa.Integer(),
            nullable=False,
            server_default=default,
        )
        for name in VOLUMES
    ]


def _moment(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _usage_tables(by: dict[str, str]) -> None:
    op.create_table(
        "sim_usage",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *_volumes(),
        _moment("recorded_at"),
        *_volumes("streamed_", "0"),
        _moment("carrier_at", nullable=True),
        _moment("tell_at", nullable=True),
        sa.PrimaryKeyConstraint("organization_id", "iccid", "day", name="pk_sim_usage"),
        postgresql_partition_by=by.get("sim_usage"),
    )
    op.create_index("ix_sim_usage_owner_day", "sim_usage", ["organization_id", "day"])
    op.create_index(
        "ix_sim_usage_tell_at", "sim_usage", ["tell_at"], postgresql_where=sa.text("tell_at IS NOT NULL")
    )
    op.create_table(
        "sim_usage_hours",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        _moment("hour"),
        *_volumes(),
        sa.PrimaryKeyConstraint("organization_id", "iccid", "hour", name="pk_sim_usage_hours"),
        postgresql_partition_by=by.get("sim_usage_hours"),
    )
    op.create_index("ix_sim_usage_hours_owner_hour", "sim_usage_hours", ["organization_id", "hour"])
    op.create_table(
        "stream_records",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("iccid", sa.String(length=19), nullable=False),
        _moment("hour"),
        *_volumes(),
        sa.PrimaryKeyConstraint("month", "id", name="pk_stream_records"),
        postgresql_partition_by=by.get("stream_records"),
    )
    op.create_index(
        "ix_stream_records_unclaimed",
        "stream_records",
        ["iccid"],
        postgresql_where=sa.text("organization_id IS NULL"),
    )
    op.create_table(
        "device_usage",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        _moment("hour"),
        sa.Column("iccid", sa.String(length=19), nullable=True),
        sa.Column("data_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", "device_id", "hour", name="pk_device_usage"),
        postgresql_partition_by=by.get("device_usage"),
    )
    op.create_index("ix_device_usage_owner_iccid", "device_usage", ["organization_id", "iccid", "hour"])


def _other_tables() -> None:
    op.create_table(
        "stream_rejected",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organization_id", sa.Uuid(), nullable=True),
        sa.Column("iccid", sa.String(length=19), nullable=True),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        _moment("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_stream_rejected"),
    )
    op.create_index("ix_stream_rejected_created", "stream_rejected", ["created_at", "id"])
    op.create_index("ix_stream_rejected_owner", "stream_rejected", ["organization_id", "created_at", "id"])


def _months() -> Iterator[tuple[date, date]]:
    """Each month with the next one's first day."""
    today = datetime.now(UTC).date()
    number = today.year * 12 + today.month - 1
    for month in range(number - BEHIND, number + AHEAD + 1):
        yield date(month // 12, month % 12 + 1, 1), date((month + 1) // 12, (month + 1) % 12 + 1, 1)


def _partitions() -> None:
    for table, key in PARTITIONED.items():
        kind = "timestamptz" if key == "hour" else "date"
        zone = " 00:00+00" if key == "hour" else ""
        for first, after in _months():
            span = f"FROM ({kind} '{first}{zone}') TO ({kind} '{after}{zone}')"
            name = f"partitions.{table}_{first:%Y_%m}"
            op.execute(f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {span} WITH (fillfactor = 80)")
        op.execute(f"CREATE TABLE partitions.{table}_default PARTITION OF {table} DEFAULT")


def _rollup() -> None:
    """The rollup follows every write of `sim_usage`, whoever writes, by what the statement changed."""
    op.create_table(
        "organization_usage",
        sa.Column("organization_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in VOLUMES),
        sa.PrimaryKeyConstraint("organization_id", "day", name="pk_organization_usage"),
    )
    gained = "SELECT organization_id, day, data_mo_bytes, data_mt_bytes, sms_mo, sms_mt FROM new_rows"
    lost = "SELECT organization_id, day, -data_mo_bytes, -data_mt_bytes, -sms_mo, -sms_mt FROM old_rows"
    _trigger("insert", gained, "NEW TABLE AS new_rows")
    _trigger("update", f"{gained} UNION ALL {lost}", "NEW TABLE AS new_rows OLD TABLE AS old_rows")
    _trigger("delete", lost, "OLD TABLE AS old_rows")


def _trigger(event: str, changes: str, seen: str) -> None:
    op.execute(ROLL_UP.replace("$event", event).replace("$changes", changes))
    op.execute(
        f"CREATE TRIGGER roll_up_usage_{event} AFTER {event.upper()} ON sim_usage REFERENCING {seen}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION roll_up_usage_{event}()"
    )


def _hypertables() -> None:
    """Chunks of a month; closed ones are compressed, old ones dropped. Not yet tried on TimescaleDB."""
    for table, key in PARTITIONED.items():
        op.execute(
            f"SELECT create_hypertable('{table}', '{key}', chunk_time_interval => INTERVAL '1 month',"
            " create_default_indexes => false)"
        )
        if table in OWNER:
            op.execute(
                f"ALTER TABLE {table} SET (timescaledb.compress,"
                f" timescaledb.compress_segmentby = 'organization_id, {OWNER[table]}',"
                f" timescaledb.compress_orderby = '{key}')"
            )
            op.execute(f"SELECT add_compression_policy('{table}', INTERVAL '3 months')")
    for table, kept in (("sim_usage_hours", "400 days"), ("device_usage", "400 days")):
        op.execute(f"SELECT add_retention_policy('{table}', INTERVAL '{kept}')")
    op.execute("SELECT add_retention_policy('stream_records', INTERVAL '93 days')")
    op.execute(CONTINUOUS)
    op.execute(
        "SELECT add_continuous_aggregate_policy('organization_usage', start_offset => INTERVAL '190 days',"
        " end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '1 hour')"
    )


def downgrade() -> None:
    op.execute(
        "CREATE TABLE sim_usage_before AS SELECT organization_id, iccid, day, data_mo_bytes, data_mt_bytes,"
        " sms_mo, sms_mt, recorded_at FROM sim_usage"
    )
    op.drop_index("ix_sim_releases_iccid", "sim_releases")
    op.drop_index("ix_sim_usage_states_owner_fetched", "sim_usage_states")
    op.execute("DROP TABLE stream_rejected, device_usage, stream_records, sim_usage_hours")
    op.execute("DROP TABLE sim_usage CASCADE")
    op.execute("DROP TABLE IF EXISTS organization_usage")
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP FUNCTION IF EXISTS roll_up_usage_{event}")
    op.execute("DROP SCHEMA partitions")
    op.rename_table("sim_usage_before", "sim_usage")
    op.execute("ALTER TABLE sim_usage ADD CONSTRAINT pk_sim_usage PRIMARY KEY (organization_id, iccid, day)")
    op.create_index("ix_sim_usage_owner_day", "sim_usage", ["organization_id", "day"])
