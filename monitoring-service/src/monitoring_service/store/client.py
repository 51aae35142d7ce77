"""The connection to the store: the only module that knows which driver is used.

Today it is Motor; its successor `pymongo.AsyncMongoClient` has the same calls.
"""

import os
from dataclasses import dataclass
from datetime import UTC
from typing import Any, TypeAlias

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import WriteConcern
from pymongo.errors import PyMongoError

from fleet_kit.health import Degraded

Document: TypeAlias = dict[str, Any]
Collection: TypeAlias = AsyncIOMotorCollection[Document]
StoreError = PyMongoError
"""What any call of the store may raise."""

_PROBE_BYTES = 65_536
"""New ones each time, and many: a small change the store takes for long without any room."""


@dataclass(frozen=True)
class Store:
    """The collections of this service. Every write waits for a majority and its event_log."""

    client: AsyncIOMotorClient[Document]
    database: AsyncIOMotorDatabase[Document]

    @property
    def readings(self) -> Collection:
        """What devices measured; `_id` is `<device>:<reading id>`."""
        return self.database["readings"]

    @property
    def latest(self) -> Collection:
        """The newest reading of each device; `_id` is the device."""
        return self.database["latest"]

    @property
    def devices(self) -> Collection:
        """Directory of devices, deleted ones included."""
        return self.database["devices"]

    @property
    def organizations(self) -> Collection:
        """Every organisation that has ever had a device; `_id` is the organisation."""
        return self.database["organizations"]

    @property
    def sims(self) -> Collection:
        """Directory of SIMs; `_id` is the ICCID."""
        return self.database["sims"]

    @property
    def alerts(self) -> Collection:
        """State of alerts."""
        return self.database["alerts"]

    @property
    def events(self) -> Collection:
        """What happened to devices, SIMs and alerts, in the order of the live feed."""
        return self.database["events"]

    @property
    def rejected(self) -> Collection:
        """What could not be stored, and why."""
        return self.database["rejected"]

    @property
    def rejected_hourly(self) -> Collection:
        """How much could not be stored, per organisation and minute, one document an hour."""
        return self.database["rejected_hourly"]

    @property
    def sequence(self) -> Collection:
        """One document: the sequence, its open blocks and the newest counts."""
        return self.database["sequence"]

    @property
    def hourly(self) -> Collection:
        """Stored readings per organisation and minute, one document an hour."""
        return self.database["hourly"]

    @property
    def workers(self) -> Collection:
        """How far the projections `latest` and presence of each worker are written."""
        return self.database["workers"]

    @property
    def watermarks(self) -> Collection:
        """Up to when each worker has worked off the queues of readings, and all of them together."""
        return self.database["watermarks"]

    @property
    def migrations(self) -> Collection:
        """What has been brought up to date for good; `_id` names it."""
        return self.database["migrations"]

    @property
    def health(self) -> Collection:
        """One document that the worker's health writes."""
        return self.database["health"]

    async def check(self) -> None:
        """Raise unless the store answers; for health."""
        await self.database.command("ping")

    async def write_probe(self) -> None:
        """Write one document again and raise Degraded where that fails; for health."""
        try:
            filler = {"filler": os.urandom(_PROBE_BYTES)}
            await self.health.replace_one({"_id": "probe"}, filler, upsert=True)
        except StoreError as error:
            raise Degraded(f"cannot be written to: {type(error).__name__}") from error

    def close(self) -> None:
        """Close all connections."""
        self.client.close()


def open_store(url: str, database: str, *, timeout_seconds: float = 10.0) -> Store:
    """The store at that address; connects when first used. A call that takes longer fails."""
    milliseconds = int(timeout_seconds * 1000)
    client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
        url,
        serverSelectionTimeoutMS=min(milliseconds, 3000),
        connectTimeoutMS=min(milliseconds, 3000),
        timeoutMS=milliseconds,
        uuidRepresentation="standard",
        appname="monitoring-service",
    )
    return Store(
        client,
        client.get_database(
            database,
            codec_options=CodecOptions(tz_aware=True, tzinfo=UTC),
            write_concern=WriteConcern("majority", j=True, wtimeout=milliseconds),
        ),
    )
