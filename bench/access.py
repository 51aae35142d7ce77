"""The fleet that is measured, and an organisation of the benchmark's own in it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx


@dataclass(frozen=True)
class Device:
    """A registered device and its key."""

    id: str
    key: str


def register(access: dict[str, Any]) -> dict[str, str]:
    """The login of a new organisation's admin, made by the platform administrator."""
    admin = {"email": access["admin_email"], "password": access["admin_password"]}
    login = {"email": f"bench-{uuid4().hex[:8]}@example.com", "password": uuid4().hex}
    with httpx.Client(base_url=f"{access['gateway_url']}/api/v1") as http:
        token = http.post("/auth/login", json=admin).raise_for_status().json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        http.post("/auth/register", json=login, headers=headers).raise_for_status()
    return login


@dataclass(frozen=True)
class Fleet:
    """A running fleet as its access file describes it."""

    access: dict[str, Any]
    token: str
    worker_metrics: str

    @classmethod
    def open(cls, file: Path, worker_port: int) -> "Fleet":
        """Read the access file and register an organisation for this run."""
        access = json.loads(file.read_text())
        login = register(access)
        with httpx.Client(base_url=f"{access['gateway_url']}/api/v1") as http:
            token = http.post("/auth/login", json=login).raise_for_status().json()["access_token"]
        return cls(access, token, f"http://127.0.0.1:{worker_port}/metrics")

    @property
    def api(self) -> str:
        """Base address of the API."""
        return f"{self.access['gateway_url']}/api/v1"

    @property
    def headers(self) -> dict[str, str]:
        """Headers of a logged-in user."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def broker_url(self) -> str:
        """AMQP as the broker's administrator: the bare loop needs a queue of its own."""
        place = urlsplit(self.access["amqp_url"])
        login = f"{self.access['rabbitmq_user']}:{self.access['rabbitmq_password']}"
        return f"amqp://{login}@{place.hostname}:{place.port}/"

    def devices(self, count: int) -> list[Device]:
        """Register devices."""
        with httpx.Client(headers=self.headers) as http:
            made = []
            for number in range(count):
                body = {"name": f"bench-{uuid4().hex[:8]}-{number}", "type": "bench"}
                answer = http.post(f"{self.api}/devices/", json=body).raise_for_status().json()
                made.append(Device(answer["id"], answer["key"]))
            return made


@dataclass(frozen=True)
class Row:
    """One line of the table. `reach` is the goal for the ratio or the value."""

    name: str
    figure: str
    raw: str
    ratio: str
    reach: str
    reached: bool
