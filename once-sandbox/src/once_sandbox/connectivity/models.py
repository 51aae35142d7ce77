"""A SIM's connection to the network."""

from dataclasses import dataclass, field

OFFLINE, ATTACHED, ONLINE = "OFFLINE", "ATTACHED", "ONLINE"


@dataclass(slots=True)
class Session:
    """An open PDP context. `pending_…` bytes have not been told to the data streamer yet.

    `watched`: it will be closed when it becomes idle; seeded sessions stay open until they have traffic.
    """

    id: int
    opened_at: float
    last_traffic_at: float
    reported_at: float
    sent: int = 0
    received: int = 0
    pending_sent: int = 0
    pending_received: int = 0
    watched: bool = False


@dataclass(slots=True)
class Connection:
    """What the network believes. `vanished`: the device is gone and the network has not noticed."""

    state: str
    operator: int
    rat: int
    since: float
    updated_at: float
    session: Session | None = None
    blocked: bool = False
    vanished: bool = False
    failure: str | None = None


@dataclass(slots=True)
class Connections:
    """Connections that anybody has looked at or changed; the rest follow from the seed."""

    known: dict[str, Connection] = field(default_factory=dict)
    next_session: int = 1_898_708_000
