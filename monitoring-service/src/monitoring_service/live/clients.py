"""One live client: what it wants, how far it is, whether it keeps up."""

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import groupby

from fleet_kit.principal import Principal
from monitoring_service.live.models import Item
from monitoring_service.store.client import Document


@dataclass(slots=True)
class LiveClient:
    """A connection after its token was checked. `cursor` is the last number of the sequence it was given."""

    sid: str
    principal: Principal
    devices: frozenset[str] | None = None
    sims: frozenset[str] | None = None
    organizations: tuple[str, ...] = ()
    cursor: int = 0
    caught_up: bool = False
    held_since: float | None = None

    @property
    def position(self) -> Hashable:
        """What it wants and how far it is: clients that agree in this are sent the same."""
        return self.devices, self.sims, self.cursor

    def wants(self, document: Document) -> bool:
        """Whether it subscribed to what the document is about."""
        if self.devices is None and self.sims is None:
            return True
        by_device = self.devices is not None and document.get("device_id") in self.devices
        return by_device or (self.sims is not None and document.get("iccid") in self.sims)

    def seconds_behind(self) -> float:
        """Note that it does not keep up; for how many seconds it has not."""
        now = time.monotonic()
        self.held_since = self.held_since or now
        return now - self.held_since


Run = tuple[str, list[Item]]


def group_by_kind(documents: Sequence[Document], client: LiveClient) -> list[Run]:
    """What the client gets of documents in their order: runs of one kind, each to be sent at once."""
    mine = [document for document in documents if document["seq"] > client.cursor and client.wants(document)]
    return [(kind, [document["item"] for document in group]) for kind, group in groupby(mine, key=_kind)]


def _kind(document: Document) -> str:
    return str(document.get("kind", "telemetry"))
