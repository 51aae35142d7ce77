"""The document of something that was accepted by the broker and cannot be stored."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import orjson

from fleet_contracts.telemetry import MAX_EXCERPT, Rejected
from fleet_kit.failure_router import Delivery
from monitoring_service.store.client import Document
from monitoring_service.store.inserts import Refusal


@dataclass(frozen=True, slots=True)
class RejectedMessage:
    """A reading, or a whole message (`index` None), and why it is not stored.

    Its key is made from the content, so that a repeated delivery is the same entry.
    """

    key: str
    organization_id: str | None
    device_id: str | None
    reading_id: str | None
    index: int | None
    code: str
    field: str
    reason: str
    payload: str
    received_at: datetime
    properties: str | None = None
    """In base64, where the message's properties cannot be decoded."""

    @classmethod
    def all_of(
        cls,
        delivery: Delivery,
        rejected: Iterable[Rejected],
        *,
        device_id: str | None = None,
        organization_id: str | None = None,
    ) -> list[Self]:
        """The entries for parts of one delivery."""
        message = hashlib.sha256(delivery.routing_key.encode("utf-8", "replace") + b"\x00" + delivery.body)
        digest, properties = message.hexdigest(), delivery.raw_properties
        return [
            cls(
                key=f"{digest}:{'all' if bad.index is None else bad.index}",
                organization_id=organization_id,
                device_id=device_id,
                reading_id=_reading_id(bad.payload),
                index=bad.index,
                code=bad.code,
                field=bad.field,
                reason=bad.reason,
                payload=bad.payload,
                received_at=delivery.received_at,
                properties=properties,
            )
            for bad in rejected
        ]

    @classmethod
    def refused(cls, document: Document, why: Refusal) -> Self:
        """The entry for a valid reading that will never be stored."""
        payload = orjson.dumps(document["metrics"], default=str).decode("utf-8", "replace")
        return cls(
            key=hashlib.sha256(document["_id"].encode()).hexdigest(),
            organization_id=document["organization_id"],
            device_id=document["device_id"],
            reading_id=document["id"],
            index=None,
            code=why.code,
            field=why.field,
            reason=why.reason,
            payload=payload[:MAX_EXCERPT],
            received_at=document["received_at"],
        )

    def document(self) -> Document:
        """As it is stored."""
        return {
            "_id": self.key,
            "organization_id": self.organization_id,
            "device_id": self.device_id,
            "reading_id": self.reading_id,
            "index": self.index,
            "code": self.code,
            "field": self.field,
            "reason": self.reason,
            "payload": self.payload,
            "properties": self.properties,
            "received_at": self.received_at.astimezone(UTC),
        }


def _reading_id(payload: str) -> str | None:
    """The id that the device gave the reading, where the excerpt still shows one."""
    try:
        value = orjson.loads(payload)
    except ValueError:
        return None
    name = value.get("id") if isinstance(value, dict) else None
    return name[:64] if isinstance(name, str) else None
