"""Two organisations, everybody who may knock at the fleet's door, and an object of each kind to ask for."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from ..conftest import PASSWORD, Person, register
from ..sim_support import at_once, platform_admin, post
from .route import Least, Route

ROLES = {"viewer": Least.VIEWER, "operator": Least.OPERATOR, "admin": Least.ADMIN}


@dataclass(frozen=True)
class Actor:
    """Somebody who calls. `level`: what its token lets it do, None where it has no valid one."""

    name: str
    headers: dict[str, str]
    level: Least | None = None
    foreign: bool = False
    """Of organisation B."""
    email: str = ""
    device: str = ""
    """The device that its key belongs to."""


class World:
    """What the matrix plays in. Objects are organisation A's."""

    def __init__(self, fleet: dict[str, Any], http: httpx.AsyncClient, owner: Person) -> None:
        self.fleet, self.http, self.owner = fleet, http, owner
        self.actors: list[Actor] = []
        self.objects: dict[str, str] = {}
        self.spare_sims: list[str] = []
        self.owners: list[str] = []
        """Organisations that buy something: all of those who call."""

    def actor(self, name: str) -> Actor:
        return next(actor for actor in self.actors if actor.name == name)

    async def made(self, path: str, body: Any = None) -> dict[str, Any]:
        """What A's admin creates."""
        answer = await post(self.owner, path, body)
        assert answer.is_success, f"POST {path}: {answer.text}"
        return dict(answer.json())

    async def names(self, route: Route, actor: Actor) -> dict[str, str]:
        """What stands in braces in the route's path and body, for one call or for several."""
        new = {"new_name": uuid4().hex, "new_email": f"{uuid4().hex}@example.com", "password": PASSWORD}
        made = (
            self.objects
            | route.values
            | new
            | {
                "email": actor.email or self.owner.email,
                "access_token": self.owner.tokens["access_token"],
            }
        )
        if "device" in route.fresh:
            made["device_id"] = (await self.made("/devices/", {"name": uuid4().hex, "type": "pump"}))["id"]
        if "sim" in route.fresh:
            made["iccid"] = self.spare_sims.pop()
        if "policy" in route.fresh:
            made["policy_id"] = (await self.made("/topup-policies", new_policy()))["id"]
        if "claim code" in route.fresh:
            made["code_id"] = await self._claim_code()
        if "login" in route.fresh:
            made["refresh_token"] = (await self._login(self.owner.email))["refresh_token"]
        return made

    async def call(self, route: Route, actor: Actor, names: dict[str, str]) -> httpx.Response:
        headers = actor.headers | {"Idempotency-Key": uuid4().hex}
        if "caller" in route.fresh and actor.level is not None:
            headers |= _bearer((await self._login(actor.email))["access_token"])
        options: dict[str, Any] = {}
        if route.upload:
            options["files"] = {"file": ("sims.csv", route.upload.format_map(names), "text/csv")}
        elif route.body is not None:
            options["json"] = _filled(route.body, names)
        path = (route.path + route.query).format_map(names)
        return await self.http.request(route.method, path, headers=headers, **options)

    async def _claim_code(self) -> str:
        body = {"iccids": [self.objects["free_iccid"]]}
        administrator = self.actor("platform administrator")
        answer = await self.http.post("/sims/claim-codes", json=body, headers=administrator.headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def _login(self, email: str) -> dict[str, Any]:
        password = self.fleet["admin_password"] if email == self.fleet["admin_email"] else PASSWORD
        answer = await self.http.post("/auth/login", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def enter(self) -> None:
        """Make everybody."""
        admin = await platform_admin(self.fleet, self.owner)
        other = await register(self.fleet, self.http)
        own = (await admin.call("GET", "/auth/me")).json()["organization_id"]
        self.owners = [self.owner.organization_id, other.organization_id, own]
        device, sibling = await at_once(self.made("/devices/", _device()) for _ in range(2))
        self.objects |= {"device_id": device["id"], "organization_id": self.owner.organization_id}
        carrier = httpx.BasicAuth(self.fleet["push_username"], self.fleet["push_password"])
        basic = next(carrier.auth_flow(httpx.Request("GET", "http://fleet"))).headers["Authorization"]
        self.actors = [
            Actor("stranger", {}),
            Actor("somebody who has logged out", await self._logged_out()),
            Actor("the carrier", {"Authorization": basic}),
            Actor("the device", _key(device), device=device["id"]),
            Actor("another device of A", _key(sibling), device=sibling["id"]),
            *[await self._member(role) for role in ROLES],
            Actor("admin of B", other.headers, Least.ADMIN, foreign=True, email=other.email),
            Actor("platform administrator", admin.headers, Least.PLATFORM, email=admin.email),
        ]

    async def _member(self, role: str) -> Actor:
        """A member of A. There is no route yet that makes one with less than all rights."""
        person = await register(self.fleet, self.http)
        statement = "UPDATE t_users SET role = $1, organization_id = $2 WHERE email = $3"
        await self.execute("signing", statement, role, self.owner.organization_id, person.email)
        token = (await self._login(person.email))["access_token"]
        return Actor(f"{role} of A", _bearer(token), ROLES[role], email=person.email)

    async def _logged_out(self) -> dict[str, str]:
        headers = _bearer((await self._login(self.owner.email))["access_token"])
        assert (await self.http.post("/auth/logout", headers=headers)).status_code == 204
        return headers

    async def execute(self, database: str, statement: str, *values: Any) -> None:
        connection = await asyncpg.connect(self.fleet["databases"][database], timeout=60)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()


def _device() -> dict[str, Any]:
    return {"name": uuid4().hex, "type": "pump"}


def new_policy() -> dict[str, Any]:
    return {"name": uuid4().hex, "trigger": {"remaining_below_percent": 5}, "budget_per_month": "10"}


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _key(device: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Device {device['id']}:{device['key']}"}


def _filled(body: Any, names: dict[str, str]) -> Any:
    """The body with its names replaced."""
    if isinstance(body, dict):
        return {key: _filled(value, names) for key, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, names) for value in body]
    return body.format_map(names) if isinstance(body, str) else body
