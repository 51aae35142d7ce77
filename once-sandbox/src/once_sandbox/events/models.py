"""Events of SIMs, and the vocabulary of their types."""

from dataclasses import dataclass, field
from typing import Any

INFO, WARN, CRITICAL = 0, 1, 2
SEVERITIES = ("INFO", "WARN", "CRITICAL")
NETWORK, POLICY, PLATFORM = 0, 1, 2
SOURCES = ("Network", "Policy Control", "API")

LOCATION, GPRS_LOCATION, CREATE_PDP, UPDATE_PDP, DELETE_PDP = 1, 2, 3, 4, 5
ACTIVATION, SUSPENSION, BLOCKED, PURGE, GPRS_PURGE = 8, 9, 11, 15, 16
DATA_LOW, DATA_GONE, SMS_LOW, SMS_GONE = 18, 19, 20, 21
RELEASED, ASSIGNED, DATA_EXPIRED = 50, 51, 60

TYPES: dict[int, tuple[str, int, int]] = {
    LOCATION: ("Update location", INFO, NETWORK),
    GPRS_LOCATION: ("Update GPRS location", INFO, NETWORK),
    CREATE_PDP: ("Create PDP Context", INFO, NETWORK),
    UPDATE_PDP: ("Update PDP Context", INFO, NETWORK),
    DELETE_PDP: ("Delete PDP Context", INFO, NETWORK),
    ACTIVATION: ("SIM activation", INFO, PLATFORM),
    SUSPENSION: ("SIM suspension", INFO, PLATFORM),
    BLOCKED: ("Endpoint blocked", WARN, POLICY),
    PURGE: ("Purge location", INFO, NETWORK),
    GPRS_PURGE: ("Purge GPRS location", INFO, NETWORK),
    DATA_LOW: ("Data quota threshold reached", WARN, POLICY),
    DATA_GONE: ("Data quota used up", CRITICAL, POLICY),
    SMS_LOW: ("SMS quota threshold reached", WARN, POLICY),
    SMS_GONE: ("SMS quota used up", CRITICAL, POLICY),
    RELEASED: ("SIM released", INFO, PLATFORM),
    ASSIGNED: ("SIM assigned", INFO, PLATFORM),
    DATA_EXPIRED: ("Data quota expired", CRITICAL, POLICY),
}
"""Type id → text, usual severity and source."""

MAX_EVENTS_PER_SIM = 2_000
"""Most events kept of one SIM."""


@dataclass(slots=True)
class Event:
    """One event; `detail` is v2's nested detail, `operator` the place of the network in OPERATORS."""

    id: int
    at: float
    type_id: int
    severity: int
    description: str
    alert: bool = False
    operator: int | None = None
    detail: dict[str, Any] | None = None


@dataclass(slots=True)
class Events:
    """Events by ICCID, oldest first; SIMs nobody looked at yet are missing."""

    by_iccid: dict[str, list[Event]] = field(default_factory=dict)
    next_id: int = 5_000_000_000
