"""The outbox: events saved in the transaction of the change they describe."""

import zlib
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    func,
    insert,
    text,
)
from sqlalchemy.ext.asyncio import AsyncSession

from fleet_contracts.events import FleetEvent, encode_event
from fleet_kit.database import UtcDateTime
from fleet_kit.notifications import notify
from fleet_kit.request_id import current_request_id

TABLE = "t_outbox"
CHANNEL = "fleet_outbox"
BUCKETS = 8
"""Aggregates are spread over this many buckets; one relay at a time works on a bucket."""
NOBODY = UUID(int=0)
"""Owner of events that belong to no organisation."""

_UNSENT = text("sent_at IS NULL")


def outbox_table(metadata: MetaData) -> Table:
    """The table `t_outbox`, for a service's metadata and its migrations."""
    return Table(
        TABLE,
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("event_id", Uuid, nullable=False, unique=True),
        Column("type", Text, nullable=False),
        Column("bucket", SmallInteger, nullable=False),
        Column("owner", Uuid, nullable=False, server_default=text(f"'{NOBODY}'")),
        Column("aggregate", Text, nullable=False),
        Column("body", Text, nullable=False),
        Column("request_id", Text),
        Column("created_at", UtcDateTime, nullable=False, server_default=func.now()),
        Column("sent_at", UtcDateTime),
        Index("ix_t_outbox_unsent_by_owner", "bucket", "owner", "id", postgresql_where=_UNSENT),
        Index("ix_t_outbox_unsent_by_aggregate", "aggregate", "id", postgresql_where=_UNSENT),
        Index("ix_t_outbox_sent_at", "sent_at", postgresql_where=text("sent_at IS NOT NULL")),
    )


_table = outbox_table(MetaData())


class Outbox:
    """Saves events in the session's transaction; a rollback discards them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def add(self, *events: FleetEvent) -> None:
        """Save the events and wake the relay at commit."""
        if not events:
            return
        await self._session.execute(insert(_table), [_row(event) for event in events])
        if not self._session.info.get(CHANNEL):
            self._session.info[CHANNEL] = True
            await notify(self._session, CHANNEL)


def bucket_of(aggregate: str) -> int:
    """The bucket that keeps the order of an aggregate's events."""
    return zlib.crc32(aggregate.encode()) % BUCKETS


def _row(event: FleetEvent) -> dict[str, object]:
    return {
        "event_id": event.id,
        "type": event.type,
        "bucket": bucket_of(event.subject),
        "owner": event.organizationid or NOBODY,
        "aggregate": event.subject,
        "body": encode_event(event).decode(),
        "request_id": current_request_id(),
    }
