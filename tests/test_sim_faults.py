"""What sim-service makes of a carrier that misbehaves, through the gateway; the carrier's own books judge."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from .sim_support import Carrier, at_once, becomes, job_done, own_sims, platform_admin, post

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]

FAULTS = (
    ("status", "before"), ("status", "after"), ("html_503", "before"), ("html_503", "after"),
    ("drop", "before"), ("drop", "after"), ("truncate", "after"), ("empty_200", "after"),
    ("not_json", "after"), ("delay", "before"), ("expired_token", "before"), ("expired_token", "after"),
    ("rate_limited", "before"), ("rate_limited", "after"),
)  # fmt: skip
READS = (
    "status",
    "html_503",
    "drop",
    "truncate",
    "empty_200",
    "not_json",
    "expired_token",
    "rate_limited",
    "delay",
)
SETTLED = {"sent", "delivered"}


class SimOperations:
    """One SIM for which volume is bought, a message sent and the label changed, whatever is answered."""

    def __init__(self, person: Any, carrier: Carrier, iccid: str) -> None:
        self.person, self.carrier, self.iccid = person, carrier, iccid
        self.text = f"hello {uuid4().hex}"
        self.answers: dict[str, httpx.Response] = {}

    async def run(self) -> None:
        path = f"/sims/{self.iccid}"
        key = uuid4().hex
        for _ in range(2):  # The second time with the same keys, as an impatient client would.
            for name, body in (("topup", {"payment_method": "credit_card"}), ("sms", {"text": self.text})):
                self.answers[name] = await post(self.person, f"{path}/{name}", body, key=f"{name}-{key}")
        self.answers["patch"] = await self.person.call("PATCH", path, json={"label": f"of {self.iccid}"})

    async def settled(self) -> bool:
        """Whether the service knows what became of all three."""
        path = f"/sims/{self.iccid}"
        topups = (await self.person.get(f"{path}/topups"))["items"]
        messages = (await self.person.get(f"{path}/sms"))["items"]
        actions = (await self.person.get(f"{path}/actions"))["items"]
        return (
            all(row["state"] in {"booked", "failed", "unknown"} for row in topups)
            and all(message["state"] in SETTLED for message in messages)
            and all(action["state"] == "confirmed" for action in actions)
        )

    async def judge(self) -> None:
        """Nothing twice, and what the service says is what the carrier has."""
        path = f"/sims/{self.iccid}"
        bought = await self.carrier.top_ups(self.iccid)
        rows = (await self.person.get(f"{path}/topups"))["items"]
        booked = [row for row in rows if row["state"] == "booked"]
        assert bought <= 1, f"volume was bought {bought} times for {self.iccid}"
        assert len(booked) == bought, [(row["state"], row["reason"]) for row in rows]
        standing = [row for row in rows if row["state"] != "failed"]
        assert len(standing) <= 1, "what failed costs nothing, and may be asked for again"
        messages = (await self.person.get(f"{path}/sms"))["items"]
        assert [message["text"] for message in messages] == [self.text]
        assert await self.carrier.sms_to(self.iccid) == [self.text]
        truth = await self.carrier.sim(self.iccid)
        shown = await self.person.get(path)
        assert truth["label"] == shown["label"] == f"of {self.iccid}"


async def test_every_fault_one_by_one_costs_nothing_twice(
    join: Join, fleet: dict[str, Any], carrier: Carrier
) -> None:
    person = await join()
    iccids = await own_sims(person, await platform_admin(fleet, person), carrier, len(FAULTS))
    for iccid, (kind, when) in zip(iccids, FAULTS, strict=True):
        for method, path in (("POST", "/topup"), ("POST", "/sms"), ("PUT", "")):
            await carrier.fault(kind, f"/v?/sims/{iccid}{path}", method=method, when=when, count=1)
    operations = [SimOperations(person, carrier, iccid) for iccid in iccids]
    await at_once((operation.run() for operation in operations), limit=2)
    await _settle(operations)
    missed = [rule for rule in await carrier.call("GET", "/faults") if not rule["hits"]]
    assert missed == [], "every fault has happened"
    for operation in operations:
        await operation.judge()


async def test_faults_mixed_at_a_fifth_lose_and_double_nothing_and_people_get_what_is_known(
    join: Join, fleet: dict[str, Any], carrier: Carrier
) -> None:
    person = await join()
    admin = await platform_admin(fleet, person)
    iccids = await own_sims(person, admin, carrier, 10)
    for iccid in iccids:
        await person.get(f"/sims/{iccid}/quotas")
        await person.get(f"/sims/{iccid}/usage")
    share = 1 - 0.8 ** (1 / len(FAULTS))
    for kind, when in FAULTS:
        await carrier.fault(kind, "/v?/sims*", when=when, share=share, seconds=0.5)
    sync = await admin.call("POST", "/sims/sync-all")
    assert sync.status_code == 202
    operations = [SimOperations(person, carrier, iccid) for iccid in iccids]
    reading = asyncio.create_task(at_once((_read(person, iccid) for iccid in iccids), limit=2))
    await at_once((operation.run() for operation in operations), limit=2)
    await reading
    assert (await job_done(admin, sync.json()["id"]))["state"] == "succeeded"
    hits = sum(rule["hits"] for rule in await carrier.call("GET", "/faults"))
    assert hits >= 10, "faults have happened"
    await carrier.calm()
    await _settle(operations)
    for operation in operations:
        await operation.judge()
    listed = await person.get("/sims", page_size=100)
    assert sorted(sim["iccid"] for sim in listed["items"]) == sorted(iccids)
    assert (await person.get("/sims", missing=True))["total"] == 0


async def test_a_sync_comes_through_every_fault_and_knows_each_sim_once(
    join: Join, fleet: dict[str, Any], carrier: Carrier
) -> None:
    person = await join()
    admin = await platform_admin(fleet, person)
    await own_sims(person, admin, carrier, 2)
    for kind in READS:
        await carrier.fault(kind, "/v?/sims", method="GET", count=2, seconds=0.5)
        asked = await admin.call("POST", "/sims/sync-all")
        assert asked.status_code == 202
        done = await job_done(admin, asked.json()["id"])
        assert done["state"] == "succeeded", (kind, done)
        await carrier.call("DELETE", "/faults")
    total = (await carrier.call("GET", ""))["sims"]["total"]
    assert (await admin.get("/sims", missing=False))["total"] == total
    assert (await person.get("/sims"))["total"] == 2


async def test_after_the_end_of_v1_what_v2_has_goes_on_and_the_rest_says_so(
    join: Join, fleet: dict[str, Any], carrier: Carrier
) -> None:
    person = await join()
    admin = await platform_admin(fleet, person)
    first, second = await own_sims(person, admin, carrier, 2)
    await person.get(f"/sims/{first}/usage")
    await carrier.call("PATCH", "/behaviours", {"v1_enabled": False})
    asked = await admin.call("POST", "/sims/sync-all")
    assert (await job_done(admin, asked.json()["id"]))["state"] == "succeeded"
    operation = SimOperations(person, carrier, first)
    await operation.run()
    await _settle([operation])
    await operation.judge()
    for path in ("", "/quotas", "/connectivity", "/events"):
        assert (await person.call("GET", f"/sims/{second}{path}")).status_code == 200, path
    asleep = await person.call("POST", f"/sims/{second}/usage/sync")
    assert (asleep.status_code, asleep.json()["error"]["code"]) == (501, "CARRIER_OPERATION_UNAVAILABLE")
    ticket = await post(person, "/support-tickets", {"subject": "No data", "text": "Since noon."})
    assert (ticket.status_code, ticket.json()["error"]["code"]) == (501, "CARRIER_OPERATION_UNAVAILABLE")
    assert (await person.get("/support-tickets"))["items"] == []


async def _settle(started: list[SimOperations]) -> None:
    """Until nothing is under way; a lost message is sure only after SMS_SETTLED_SECONDS."""
    operations = list(started)

    async def settled() -> bool:
        while operations and await operations[-1].settled():
            operations.pop()
        return not operations

    await becomes(settled, timeout=240)


async def _read(person: Any, iccid: str) -> None:
    """People look at a SIM meanwhile: an answer each time, with its age; what asks the carrier may say no."""
    assert (await person.call("GET", f"/sims/{iccid}")).status_code == 200
    for kind in ("quota/data", "quota/sms", "usage"):
        answer = await person.call("GET", f"/sims/{iccid}/{kind}")
        assert answer.status_code == 200, answer.text
        known = answer.json()
        assert known["age_seconds"] >= 0
        assert known["stale"] is (known["stale_reason"] is not None)
    for path in ("sync", "usage/sync"):
        asked = await person.call("POST", f"/sims/{iccid}/{path}")
        if asked.status_code != 200:
            assert asked.json()["error"]["code"].startswith("CARRIER_"), asked.text
            assert asked.status_code in {502, 503}
