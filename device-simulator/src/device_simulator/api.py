"""The platform's public API, as far as a fleet of devices needs it."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import httpx

from device_simulator.credentials import Credential
from device_simulator.errors import CannotStart
from device_simulator.tls import tls_context

log = logging.getLogger(__name__)

PAGE_SIZE = 200
RETRIED = frozenset({429, 502, 503, 504})
LONGEST_DELAY = 5.0


class FleetApi:
    """A logged-in user of the platform. Waits up to `patience` seconds for a gateway that is not up yet."""

    def __init__(self, gateway_url: str, patience: float) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"{gateway_url.rstrip('/')}/api/v1", verify=tls_context(), timeout=30
        )
        self._patience = patience

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def login(self, email: str, password: str) -> None:
        """Log in; raises CannotStart where the login is wrong."""
        tokens = await self._call("POST", "/auth/login", {"email": email, "password": password})
        self._client.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    async def devices(self) -> dict[str, str]:
        """The ids of the organisation's devices by name."""
        return {device["name"]: device["id"] async for device in self._all("/devices/")}

    async def simcards(self) -> dict[str, str]:
        """The ICCID of each device of the organisation that has a SIM, by the device's id."""
        devices = self._all("/devices/")
        return {device["id"]: device["iccid"] async for device in devices if device.get("iccid")}

    async def free_simcards(self) -> list[str]:
        """The organisation's enabled SIMs that are in no device."""
        return [sim["iccid"] async for sim in self._all("/sims", linked="false", status="enabled")]

    async def insert(self, device_id: str, iccid: str) -> None:
        """Put a SIM into a device."""
        await self._call("PATCH", f"/devices/{device_id}", {"iccid": iccid})

    async def create(self, name: str, kind: str) -> Credential:
        """Register a device. A repeated answer does not show the key again; then a new one is issued."""
        device = await self._call("POST", "/devices/", {"name": name, "type": kind})
        if not device.get("key"):
            return await self.rotate(device["id"])
        return Credential(device["id"], device["key"])

    async def rotate(self, device_id: str) -> Credential:
        """A new key for a device whose key is not known any more; the old one dies."""
        answer = await self._call("POST", f"/devices/{device_id}/credentials")
        return Credential(device_id, answer["key"])

    async def _all(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Everything in a list, page by page."""
        params = httpx.QueryParams(page_size=PAGE_SIZE, **query)
        while True:
            page = await self._call("GET", f"{path}?{params}")
            for item in page["items"]:
                yield item
            if not page.get("next_cursor"):
                return
            params = params.set("cursor", page["next_cursor"])

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        # One key for all attempts: a POST that arrived but was not answered is not done twice.
        headers = {"Idempotency-Key": str(uuid.uuid4())} if method == "POST" else None
        deadline = asyncio.get_running_loop().time() + self._patience
        delay = 0.2
        while True:
            reason, wait = "", 0.0
            try:
                answer = await self._client.request(method, path, json=body, headers=headers)
            except httpx.TransportError as error:
                reason = f"{error or type(error).__name__}"
            else:
                if answer.is_success:
                    return answer.json()
                reason = _reason(answer)
                if answer.status_code not in RETRIED:
                    raise CannotStart(f"{method} {path}: {reason}")
                wait = min(float(answer.headers.get("Retry-After") or 0), LONGEST_DELAY)
            if asyncio.get_running_loop().time() > deadline:
                raise CannotStart(f"{method} {self._client.base_url}{path}: {reason}")
            log.info("waiting for the platform: %s", reason)
            await asyncio.sleep(max(delay, wait))
            delay = min(delay * 2, LONGEST_DELAY)


def _reason(answer: httpx.Response) -> str:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"
    return f"HTTP {answer.status_code} {error.get('code')}: {error.get('message')}"
