"""The carrier's sandbox behind the fleet, and SIMs of it for whoever needs them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import uuid4

import httpx

from fleet_kit.testing import eventually


class Carrier:
    """The sandbox's own side: the truth about SIMs and money, and what goes wrong."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = await self._http.request(method, f"/control{path}", json=body, params=query or None)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json() if answer.content else None

    async def new_sims(self, count: int) -> list[str]:
        """SIMs that nobody had before, enabled and with all of their quota."""
        return list((await self.call("POST", "/sims", {"count": count, "fresh": True}))["iccids"])

    async def sim(self, iccid: str) -> dict[str, Any]:
        return dict(await self.call("GET", f"/sims/{iccid}"))

    async def sms_to(self, iccid: str) -> list[str]:
        """Payloads of the messages to a SIM, oldest first."""
        listed = await self.call("GET", "/sms", iccid=iccid)
        return [sms["payload"] for sms in listed if sms["sms_type"]["description"] == "MT"]

    async def top_ups(self, iccid: str) -> int:
        """How often volume was bought for a SIM."""
        return int((await self.call("GET", "/ledger", iccid=iccid))["topups_by_iccid"].get(iccid, 0))

    async def fault(self, kind: str, path: str, **more: Any) -> None:
        headers = {"headers": {"Retry-After": "0"}} if kind == "rate_limited" else {}
        await self.call("POST", "/faults", {"kind": kind, "path": path} | headers | more)

    async def calm(self) -> None:
        """No faults, and everything switched on."""
        await self.call("DELETE", "/faults")
        await self.call("PATCH", "/behaviours", {"v1_enabled": True})


async def platform_admin(fleet: dict[str, Any], person: Any) -> Any:
    """The platform administrator, as a person like the given one."""
    login = {"email": fleet["admin_email"], "password": fleet["admin_password"]}
    tokens = (await person.http.post("/auth/login", json=login)).json()
    return type(person)(fleet, person.http, login["email"], "", tokens)


GRANT = {"budget_per_month": "10000", "sms_per_month": 10_000} | dict.fromkeys(
    ("orders", "top_ups", "extensions", "sms", "tickets", "resets"), True
)


async def own_sims(person: Any, admin: Any, carrier: Carrier, count: int) -> list[str]:
    """New SIMs that belong to the person's organisation, which may do everything with them."""
    granted = await admin.call("PUT", f"/sim/grants/{person.organization_id}", json=GRANT)
    assert granted.status_code == 200, granted.text
    iccids = await carrier.new_sims(count)
    for iccid in iccids:
        answer = await admin.call("POST", f"/sims/{iccid}/sync")
        assert answer.status_code == 200, answer.text
    body = {"iccids": iccids, "organization_id": person.organization_id}
    claimed = await admin.call("POST", "/sims/claim", json=body)
    assert claimed.status_code == 200, claimed.text
    return iccids


async def post(person: Any, path: str, body: Any = None, *, key: str | None = None) -> httpx.Response:
    """A POST with an Idempotency-Key, as whatever costs money wants it."""
    headers = person.headers | {"Idempotency-Key": key or uuid4().hex}
    answer: httpx.Response = await person.http.request("POST", path, json=body, headers=headers)
    return answer


async def at_once(work: Iterable[Awaitable[Any]], *, limit: int = 4) -> list[Any]:
    """Do all of it, a few at a time."""
    slots = asyncio.Semaphore(limit)

    async def one(part: Awaitable[Any]) -> Any:
        async with slots:
            return await part

    return list(await asyncio.gather(*(one(part) for part in work)))


async def job_done(person: Any, job_id: str, *, timeout: float = 120) -> dict[str, Any]:
    """The job once it is over."""
    found: dict[str, Any] = {}

    async def over() -> bool:
        found.update(await person.get(f"/jobs/{job_id}"))
        return found["state"] not in {"queued", "running"}

    await eventually(over, timeout=timeout)
    return found


async def becomes(read: Callable[[], Awaitable[Any]], *, timeout: float = 60) -> Any:
    """What `read` returns once that is true; the failure shows what it last was."""
    last: list[Any] = [None]

    async def holds() -> bool:
        last[0] = await read()
        return bool(last[0])

    await eventually(holds, timeout=timeout)
    return last[0]
