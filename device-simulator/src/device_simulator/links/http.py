"""HTTP through the gateway: a message is accepted with 202."""

import asyncio

import httpx

from device_simulator.credentials import Credential
from device_simulator.errors import NotAccepted, Refused
from device_simulator.links.addresses import Addresses
from device_simulator.tls import tls_context

TIMEOUT = 15.0
"""Seconds for one request."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class HttpLink:
    """One device's requests; its key goes into the Authorization header."""

    def __init__(self, credential: Credential, addresses: Addresses) -> None:
        self._url = f"/api/v1/devices/{credential.id}/telemetry"
        self._client = httpx.AsyncClient(
            base_url=addresses.gateway_url,
            verify=tls_context(),
            timeout=TIMEOUT,
            limits=httpx.Limits(max_keepalive_connections=8, keepalive_expiry=3),
            headers={
                "Authorization": f"Device {credential.id}:{credential.key}",
                "Content-Type": "application/json",
            },
        )

    async def run(self) -> None:
        """Keep the connection pool open until cancelled."""
        async with self._client:
            await asyncio.Event().wait()

    async def send(self, body: bytes, message_id: str) -> None:
        """Post the message; the request id is the message's own, so logs of both sides match."""
        try:
            answer = await self._client.post(self._url, content=body, headers={"X-Request-ID": message_id})
        except httpx.TransportError as error:
            raise NotAccepted(str(error) or type(error).__name__) from error
        if answer.status_code == httpx.codes.ACCEPTED:
            return
        if answer.status_code in RETRIED:
            raise NotAccepted(f"HTTP {answer.status_code}", wait=_retry_after(answer))
        raise Refused(f"HTTP {answer.status_code}: {answer.text[:300]}")


def _retry_after(answer: httpx.Response) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0
