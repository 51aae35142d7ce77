"""A short message and the collection of them."""

from dataclasses import dataclass, field

PENDING, BUFFERED, DELIVERED, FAILED, EXPIRED = 2, 3, 4, 5, 6
STATUSES = {
    PENDING: "PENDING",
    BUFFERED: "BUFFERED",
    DELIVERED: "DELIVERED",
    FAILED: "FAILED",
    EXPIRED: "EXPIRED",
}
MT, MO = 1, 2
TYPES = {MT: "MT", MO: "MO"}
ADDRESS_TYPES = {145: "International", 161: "National", 208: "Alphanumeric"}
KEPT_SECONDS = 7 * 86_400.0
DEFAULT_LIFETIME = 86_400.0


@dataclass(slots=True)
class Sms:
    """One message; MT goes to the SIM, MO comes from it."""

    id: int
    iccid: str
    type: int
    payload: str
    dcs: int
    submitted_at: float
    expires_at: float
    source_address: str
    dest_address: str
    source_type: int = 145
    udh: str = ""
    status: int = PENDING
    delivered_at: float | None = None
    final_at: float | None = None
    retry_at: float | None = None
    attempted_at: float | None = None
    retries: int = 0

    @property
    def waiting(self) -> bool:
        """Whether it may still be delivered or cancelled."""
        return self.status in {PENDING, BUFFERED}


@dataclass(slots=True)
class SmsBook:
    """Messages by id, and the ids of each SIM, oldest first."""

    by_id: dict[int, Sms] = field(default_factory=dict)
    by_iccid: dict[str, list[int]] = field(default_factory=dict)
    next_id: int = 589

    def add(self, sms: Sms) -> None:
        """Keep a message."""
        self.by_id[sms.id] = sms
        self.by_iccid.setdefault(sms.iccid, []).append(sms.id)

    def new_id(self) -> int:
        self.next_id += 1
        return self.next_id

    def of(self, iccid: str, now: float) -> list[Sms]:
        """The SIM's messages that are still kept, newest first."""
        ids = self.by_iccid.get(iccid, [])
        while ids and self.by_id[ids[0]].submitted_at < now - KEPT_SECONDS:
            del self.by_id[ids.pop(0)]
        return [self.by_id[number] for number in reversed(ids)]
