from fleet_kit.schemas import ResponseModel, Timestamp


class StreamedOut(ResponseModel):
    """What was in a post. Records of usage and events are stored, now or when they came before."""

    received: int
    usage: int
    events: int
    rejected: int


class RejectedOut(ResponseModel):
    """A pushed record that could not be read: the field it fails at, why, and the record's beginning."""

    iccid: str | None
    field: str
    reason: str
    record: str
    created_at: Timestamp
