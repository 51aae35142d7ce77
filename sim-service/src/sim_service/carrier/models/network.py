"""Where SIMs are and what the network noted."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class NetworkState(StrEnum):
    """How the SIM stands in the network. ATTACHED can be old news: devices vanish without saying so."""

    OFFLINE = "offline"
    ATTACHED = "attached"
    ONLINE = "online"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DataSession:
    """A PDP context. `rat`: radio access technology, such as `4G` or `NB-IoT`."""

    opened_at: datetime | None = None
    ip_address: str | None = None
    apn: str | None = None
    rat: str | None = None
    imei: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierConnectivity:
    """`country`: ISO 3166-1 alpha-2; `limit_reached`: the account's monthly limit stops data."""

    state: NetworkState
    operator: str | None = None
    operator_id: str | None = None
    country: str | None = None
    country_name: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    last_updated_at: datetime | None = None
    limit_reached: bool | None = None
    services: tuple[str, ...] = ()
    session: DataSession | None = None


@dataclass(frozen=True, slots=True)
class CellInfo:
    """The cell that a SIM is attached to; only while attached on 2G or 3G."""

    reachable: bool | None = None
    rat: str | None = None
    mcc: str | None = None
    mnc: str | None = None
    lac: str | None = None
    cell_id: str | None = None
    located_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CarrierEvent:
    """Something that the network noted about a SIM.

    `id` is the carrier's, or made from the content where it gives none. `type` is our word for the carrier's
    event type; `cause` its word for why a data service failed. `severity`: info, warning or critical.
    """

    id: str
    iccid: str
    at: datetime
    type: str
    type_id: int | None = None
    severity: str = "info"
    description: str = ""
    cause: str | None = None
    operator: str | None = None
    country: str | None = None
    imsi: str | None = None
    imei: str | None = None
    detail: dict[str, object] = field(default_factory=dict)
