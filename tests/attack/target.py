"""What an attacker has: addresses, and the logins of two organisations, one device and one producer."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx


@dataclass
class Target:
    """The fleet as its attackers know it; they share it over all rounds."""

    gateway_url: str
    mqtt_host: str
    mqtt_port: int
    producer_url: str
    """AMQP address with the login of a trusted producer, whose key was stolen."""
    token: str
    """Of an organisation's admin."""
    device_id: str
    device_key: str
    """Of a device of that organisation."""
    victim_device_id: str
    notes: dict[str, Any] = field(default_factory=dict)
    """What an attack wants to keep between its rounds."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Target":
        return cls(**json.loads(text))

    def http(self, *, login: bool = True) -> httpx.AsyncClient:
        """A client of the API, as the organisation's admin or as a stranger."""
        headers = {"Authorization": f"Bearer {self.token}"} if login else {}
        base = f"{self.gateway_url}/api/v1"
        return httpx.AsyncClient(base_url=base, headers=headers, timeout=20, verify=False)


Attack = Callable[[Target], Awaitable[Counter[str]]]
"""One round of some seconds at most; returns how often each outcome was seen. An exception ends the round."""


async def together(work: list[Awaitable[Any]]) -> Counter[str]:
    """All of it, and what became of each: a status, the kind of an exception, or `done`."""
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    return Counter(_named(outcome) for outcome in outcomes)


def _named(outcome: Any) -> str:
    if isinstance(outcome, httpx.Response):
        return str(outcome.status_code)
    return type(outcome).__name__ if isinstance(outcome, BaseException) else "done"
