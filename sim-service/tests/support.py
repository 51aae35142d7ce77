"""Builders and drivers for the tests of sim-service."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
from fastapi import FastAPI
from purgatory.domain.model import ClosedState
from sqlalchemy import text
from starlette.types import Receive, Scope, Send

from fleet_contracts.events import DeviceData, DeviceDeleted, DeviceRef, DeviceRegistered, DeviceUpdated
from fleet_kit.database import Sessions
from fleet_kit.principal import Role
from fleet_kit.testing import TokenFactory
from once_sandbox.behaviours.schemas import profile
from once_sandbox.faults.service import Faults
from once_sandbox.main import create_app as create_sandbox
from once_sandbox.sandbox import Sandbox
from once_sandbox.settings import Settings as SandboxSettings
from once_sandbox.sims.models import Sim as SandboxSim
from once_sandbox.world import make_world
from sim_service.grants.models import Switch
from sim_service.inventory.links.consumers import DeviceEvents
from sim_service.lifecycle.actions.reconciler import ActionReconciler
from sim_service.settings import Settings
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.runner import JobRunner
from sim_service.worker import job_runner, reconciler


def children_with(argument: bytes) -> list[int]:
    """The processes that this one started with such an argument and that still run."""
    found = []
    for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):
            if argument in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


class SandboxUnderTest:
    """A sandbox, served as it is, with a count of its calls and a way to break every answer."""

    def __init__(self, settings: SandboxSettings, url: str) -> None:
        self._settings, self.url = settings, url
        self._app = create_sandbox(settings)
        self.sandbox: Sandbox = self._app.sandbox
        self.calls: list[str] = []
        self.broken: int | None = None
        self._under_way: set[object] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with an HTML page and the status `broken` while that is set."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.calls.append(scope["path"])
        if self.broken is not None:
            headers = [(b"content-type", b"text/html")]
            await send({"type": "http.response.start", "status": self.broken, "headers": headers})
            await send({"type": "http.response.body", "body": b"<html>Service Unavailable</html>"})
            return
        under_way, call = self._under_way, object()
        under_way.add(call)
        try:
            await self._app(scope, receive, send)
        finally:
            under_way.discard(call)

    def reset(self, name: str = "spec") -> None:
        """A fresh world with the same SIMs."""
        self.sandbox.world = make_world(sims=self._settings.sims, seed=1, behaviours=profile(name))
        self.sandbox.world.behaviours.rate_limit_enabled = False
        self.sandbox.faults = Faults()
        self.calls.clear()
        self._under_way = set()  # a call that an earlier test left behind is no concern of this one
        self.broken = None

    @property
    def under_way(self) -> int:
        """How many calls have not ended yet."""
        return len(self._under_way)

    def sims(self) -> list[SandboxSim]:
        """The account's SIMs in their order."""
        return self.sandbox.world.sims.own()

    def called(self, part: str) -> int:
        """How many calls had this in their path."""
        return sum(part in path for path in self.calls)


def client_of(app: FastAPI, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """A client that sees a failure as its answer, as a real one does."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://sim/api/v1", headers=headers, timeout=30)


class Organization:
    """An organisation, seen through a client of each role."""

    def __init__(self, app: FastAPI, tokens: TokenFactory) -> None:
        self.id: UUID = uuid4()
        self.viewer, self.operator, self.admin = (
            client_of(app, tokens.headers(self.id, role)) for role in Role
        )

    async def close(self) -> None:
        for client in (self.viewer, self.operator, self.admin):
            await client.aclose()


class Fleet:
    """The service under test with everything around it."""

    def __init__(
        self,
        app: FastAPI,
        settings: Settings,
        tokens: TokenFactory,
        sandbox: SandboxUnderTest,
        sessions: Sessions,
    ) -> None:
        self.app, self.settings, self.sandbox, self.sessions = app, settings, sandbox, sessions
        self._tokens = tokens
        self.ours, self.theirs = Organization(app, tokens), Organization(app, tokens)
        self.platform = client_of(app, {"Authorization": f"Bearer {tokens.token(is_admin=True)}"})
        self.anyone = client_of(app)
        self.device_events = DeviceEvents(sessions)

    async def close(self) -> None:
        for one in (self.ours, self.theirs):
            await one.close()
        await self.platform.aclose()
        await self.anyone.aclose()

    async def calm_breaker(self) -> None:
        """Forget failures of earlier tests."""
        breaker = self.app.state.resources.carrier._transport._breaker
        breaker._context.set_state(ClosedState())

    def runner(self, **changes: Any) -> JobRunner:
        """A worker's job runner; call `once`."""
        return job_runner(self.settings.model_copy(update=changes), self.app.state.resources)

    async def sync(self, **changes: Any) -> dict[str, Any]:
        """Sync all SIMs to the end; the job as the platform administrator sees it."""
        asked = await self.ours.operator.post("/sims/sync-all")
        assert asked.status_code == 202, asked.text
        runner = self.runner(**changes)
        while await runner.once():
            pass
        job: dict[str, Any] = (await self.platform.get(f"/jobs/{asked.json()['id']}")).json()
        return job

    def reconciler(self, **changes: Any) -> ActionReconciler:
        """A worker's reconciler; call `once`."""
        return reconciler(self.settings.model_copy(update=changes), self.app.state.resources)

    async def reconcile(self, *, due: bool = False, **changes: Any) -> None:
        """Do everything that is due; `due`: also what waits for its next attempt."""
        if due:
            await self.rows("UPDATE sim_actions SET due_at = now(), leased_until = NULL RETURNING id")
            await self.rows("UPDATE sims SET drift_due_at = now() WHERE drift_due_at > now() RETURNING iccid")
        worker = self.reconciler(**changes)
        while await worker.once():
            pass

    async def grant(self, organization: Organization, **changes: Any) -> None:
        """Grant an organisation everything, and more money than any test spends, but for the changes."""
        switches = {switch.value: True for switch in Switch}
        body = (
            switches
            | {"budget_per_month": "1000000", "order_approval_above": "100000", "sms_per_month": 10**6}
            | changes
        )
        answer = await self.platform.put(f"/sim/grants/{organization.id}", json=body)
        assert answer.status_code == 200, answer.text

    async def withdraw_grant(self, organization: Organization) -> None:
        """Leave an organisation as it registered: with nothing."""
        await self.rows("DELETE FROM grants WHERE organization_id = :id RETURNING 1", id=organization.id)

    async def ask_claim(self, *iccids: str, by: Organization) -> httpx.Response:
        body = {"iccids": list(iccids), "organization_id": str(by.id)}
        return await self.platform.post("/sims/claim", json=body)

    async def claim(self, *iccids: str, by: Organization | None = None) -> dict[str, Any]:
        """Have the platform administrator claim SIMs for an organisation."""
        answer = await self.ask_claim(*iccids, by=by or self.ours)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def owned_sims(self, number: int = 3) -> list[str]:
        """Sync, and claim the first so many SIMs."""
        await self.sync()
        iccids = [sim.iccid for sim in self.sandbox.sims()[:number]]
        await self.claim(*iccids)
        await self.forget_events()
        return iccids

    async def device(self, organization: Organization | None = None, **fields: Any) -> UUID:
        """A device that device-service has told of."""
        data = DeviceData(id=fields.pop("id", uuid4()), name="pump", type="sensor", **fields)
        owner = (organization or self.ours).id
        await self.device_events.handle(
            DeviceRegistered(source="device-service", subject=str(data.id), organizationid=owner, data=data)
        )
        return data.id

    async def device_updated(self, device_id: UUID, version: int, **fields: Any) -> None:
        data = DeviceData(id=device_id, name="pump", type="sensor", version=version, **fields)
        await self.device_events.handle(
            DeviceUpdated(
                source="device-service", subject=str(device_id), organizationid=self.ours.id, data=data
            )
        )

    async def device_deleted(self, device_id: UUID, version: int = 9) -> None:
        data = DeviceRef(id=device_id, version=version)
        await self.device_events.handle(
            DeviceDeleted(
                source="device-service", subject=str(device_id), organizationid=self.ours.id, data=data
            )
        )

    async def events(self, prefix: str = "") -> list[dict[str, Any]]:
        """Events in the outbox, in order."""
        async with self.sessions() as session:
            rows = await session.execute(text("SELECT body FROM t_outbox ORDER BY id"))
            found = [orjson.loads(row.body) for row in rows]
        return [event for event in found if event["type"].startswith(prefix)]

    async def forget_events(self) -> None:
        async with self.sessions.begin() as session:
            await session.execute(text("DELETE FROM t_outbox"))

    async def rows(self, statement: str, **values: Any) -> Sequence[Any]:
        """The rows of any statement."""
        async with self.sessions.begin() as session:
            return (await session.execute(text(statement), values)).all()

    async def request(self, kind: JobKind) -> None:
        """Queue a job of a kind that no endpoint asks for."""
        from sim_service.work.jobs.service import JobService

        async with self.sessions.begin() as session:
            await JobService(session).request(kind)
