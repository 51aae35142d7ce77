"""Bodies of the API of rejected messages."""

from pydantic import BaseModel

from fleet_kit.schemas import Timestamp


class RejectedOut(BaseModel):
    """Something that was accepted and is not stored. `index` is its place in the message's array.

    `reading_id` is the id that the device gave it, where that can be told.
    `properties` is there where a message's AMQP properties cannot be decoded: their first 16 KiB, in base64.
    """

    id: str
    organization_id: str | None
    device_id: str | None
    reading_id: str | None = None
    index: int | None
    code: str
    field: str
    reason: str
    payload: str
    properties: str | None = None
    received_at: Timestamp
