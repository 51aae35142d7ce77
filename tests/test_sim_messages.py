"""Messages to and from a SIM, from the carrier's forwarder to the live feed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from .sim_support import Carrier, becomes, own_sims, platform_admin, post

pytestmark = pytest.mark.fleet
Join = Callable[[], Awaitable[Any]]


@pytest.fixture
async def forwarding(fleet: dict[str, Any], carrier: Carrier) -> AsyncIterator[None]:
    """The sandbox forwards messages and reports to the fleet."""
    forwarder = {
        "url": f"{fleet['gateway_url']}/api/v1/sim/push/sms",
        "username": fleet["push_username"],
        "password": fleet["push_password"],
    }
    await carrier.call("PUT", "/sms-forwarder", forwarder)
    yield
    await carrier.call("DELETE", "/sms-forwarder")


@pytest.mark.usefixtures("forwarding")
async def test_a_conversation_goes_both_ways_and_shows_live(
    join: Join, listen: Any, fleet: dict[str, Any], carrier: Carrier
) -> None:
    person, other = await join(), await join()
    (iccid,) = await own_sims(person, await platform_admin(fleet, person), carrier, 1)
    await carrier.call("POST", "/sessions", {"iccid": iccid, "action": "attach"})
    heard: list[dict[str, Any]] = []
    watcher = await listen(person.tokens["access_token"])
    watcher.client.on("sim", heard.append)
    assert (await watcher.subscribe())["ok"]

    question = "How are you? " * 20
    sent = await post(person, f"/sims/{iccid}/sms", {"text": question})
    assert (sent.status_code, sent.json()["parts_total"]) == (201, 2), sent.text
    for number, piece in ((2, "21.5 degrees"), (1, "Well, at ")):
        part = {"iccid": iccid, "payload": piece, "udh": f"0500034202{number:02}"}
        await carrier.call("POST", "/sms/mo", part)

    async def said() -> bool:
        lines = (await person.get(f"/sims/{iccid}/sms/conversation"))["items"]
        return {(line["direction"], line["text"], line["state"]) for line in lines} == {
            ("mt", question, "delivered"),
            ("mo", "Well, at 21.5 degrees", "received"),
        }

    async def shown_live() -> bool:
        types = sorted(item["type"] for item in heard if item["type"].startswith("sim.sms"))
        return types == ["sim.sms_received", "sim.sms_sent"]

    await becomes(said)
    await becomes(shown_live)
    assert (await other.call("GET", f"/sims/{iccid}/sms/conversation")).status_code == 404
    assert (await other.get("/sims/sms"))["items"] == []
