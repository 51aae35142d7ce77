"""The organisation that owns the simulated devices and the sandbox's SIM cards: made once, by the API."""

import time
from collections.abc import Iterator
from typing import Any

import httpx

from fleet_infra.errors import CannotStart
from fleet_infra.secret_store import Secrets
from fleet_infra.settings import FleetSettings

SYNC_SECONDS = 20
"""Longest wait for the first look at the carrier; what is not there by then can be claimed later."""
AT_ONCE = 200
GRANT = {
    "budget_per_month": "1000.00",
    "currency": "EUR",
    "sms_per_month": 1000,
    **dict.fromkeys(("orders", "top_ups", "extensions", "sms", "tickets", "resets"), True),
}
"""What the owner may do in the sandbox's account, where the money is not real."""
FIRST_JOBS = ("sync_usage", "sync_events", "forecast_quotas")
"""Jobs that would else come up to a day later, because nobody owned a SIM when they first ran."""


def register_owner(settings: FleetSettings, secrets: Secrets) -> str | None:
    """Register the owner; the id of its organisation, None where it was there already. Raises CannotStart."""
    credentials = {"email": settings.demo_email, "password": secrets.demo_password}
    with _client(settings) as http:
        if http.post("/auth/login", json=credentials).status_code == httpx.codes.OK:
            return None
        _log_in_as_admin(http, settings, secrets)
        answer = http.post("/auth/register", json={**credentials, "organization_name": "Demo"})
    if answer.status_code != httpx.codes.CREATED:
        raise CannotStart(f"The account {settings.demo_email} could not be registered: {answer.text[:300]}")
    return str(answer.json()["organization_id"])


def grant_owner(settings: FleetSettings, secrets: Secrets) -> None:
    """As platform administrator: grant the owner everything, unless its grant was ever set before."""
    with _client(settings) as http:
        _log_in(http, settings.demo_email, secrets.demo_password)
        owner = http.get("/auth/me").raise_for_status().json()["organization_id"]
        _log_in_as_admin(http, settings, secrets)
        if http.get(f"/sim/grants/{owner}").raise_for_status().json()["changed_at"] is None:
            http.put(f"/sim/grants/{owner}", json=GRANT).raise_for_status()


def give_sims(settings: FleetSettings, secrets: Secrets, owner: str) -> None:
    """As platform administrator: have the carrier's SIMs listed, then claim them for the owner."""
    with _client(settings) as http:
        _log_in_as_admin(http, settings, secrets)
        _sync(http)
        for iccids in _unclaimed(http):
            http.post("/sims/claim", json={"iccids": iccids, "organization_id": owner}).raise_for_status()
        for kind in FIRST_JOBS:
            http.post("/jobs", json={"kind": kind, "organization_id": owner}).raise_for_status()


def _log_in_as_admin(http: httpx.Client, settings: FleetSettings, secrets: Secrets) -> None:
    _log_in(http, settings.admin_email, secrets.admin_password)


def _log_in(http: httpx.Client, email: str, password: str) -> None:
    credentials = {"email": email, "password": password}
    token = http.post("/auth/login", json=credentials).raise_for_status().json()["access_token"]
    http.headers["Authorization"] = f"Bearer {token}"


def _client(settings: FleetSettings) -> httpx.Client:
    return httpx.Client(base_url=f"{settings.gateway_url}/api/v1", timeout=20, trust_env=False)


def _sync(http: httpx.Client) -> None:
    job: dict[str, Any] = http.post("/sims/sync-all").json()
    deadline = time.monotonic() + SYNC_SECONDS
    while job.get("state") in {"queued", "running"} and time.monotonic() < deadline:
        time.sleep(0.2)
        job = http.get(f"/jobs/{job['id']}").json()


def _unclaimed(http: httpx.Client) -> Iterator[list[str]]:
    """SIMs without an owner, in portions; each portion is claimed before the next is asked for."""
    seen: set[str] = set()
    while True:
        page = http.get("/sims", params={"claimed": "false", "page_size": AT_ONCE}).json()
        iccids = [sim["iccid"] for sim in page.get("items", []) if sim["iccid"] not in seen]
        if not iccids:
            return
        seen.update(iccids)
        yield iccids
