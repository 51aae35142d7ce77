"""What the carrier's SMS forwarder pushes: stored once, parts put together, reports in any order."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from fleet_kit.testing import eventually
from once_sandbox.control.sims import any_sim
from once_sandbox.sms.schemas import SmsMessage, received_record, report_record
from once_sandbox.sms.service import receive
from once_sandbox.streams.schemas import ForwarderConfig
from once_sandbox.streams.service import set_forwarder
from sim_service.carrier.models import Priority
from sim_service.messages.sms.dispatch import SmsDispatch
from sim_service.messages.sms.receive import SmsReceiver

from ..push_support import AUTH
from ..sms_support import at_carrier, attach, pass_time, run_all_due, send, shown, sms_jobs
from ..support import Fleet

PATH = "/sim/push/sms"
FOREIGN = "8988280000000000017"


def from_sim(fleet: Fleet, iccid: str, payload: str, **fields: Any) -> dict[str, Any]:
    """The SIM sends a message; what the forwarder pushes of it."""
    world = fleet.sandbox.sandbox.world
    sim = any_sim(world, iccid)
    sms = receive(world, sim, SmsMessage(payload=payload, **fields), "4915100")
    assert sms is not None
    record: dict[str, Any] = received_record(sim, sms)
    return record


async def pushed(fleet: Fleet, record: Any, method: str = "POST", status: int = 200) -> dict[str, Any]:
    answer = await fleet.anyone.request(method, PATH, json=record, auth=AUTH)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def conversation(fleet: Fleet, iccid: str, **query: Any) -> list[dict[str, Any]]:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}/sms/conversation", params=query)
    assert answer.status_code == 200, answer.text
    lines: list[dict[str, Any]] = answer.json()["items"]
    return lines


async def test_a_message_from_a_sim_is_stored_and_told_of_once(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    record = from_sim(fleet, iccid, "21.5 Ä")
    for _ in range(3):
        assert (await pushed(fleet, record))["id"] == str(record["id"])
    (line,) = await conversation(fleet, iccid)
    assert (line["direction"], line["text"], line["state"], line["complete"], line["address"]) == (
        "mo", "21.5 Ä", "received", True, "4915100",
    )  # fmt: skip
    (event,) = await fleet.events("sim.sms")
    assert (event["type"], event["data"]["message_id"]) == ("sim.sms_received", line["id"])


async def test_a_push_that_comes_many_times_at_once_is_one_message(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    record = from_sim(fleet, iccid, "once")
    await asyncio.gather(*(pushed(fleet, record) for _ in range(6)))
    assert len(await conversation(fleet, iccid)) == 1
    assert len(await fleet.events("sim.sms")) == 1


async def test_parts_are_put_together_in_whatever_order_they_come(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    pieces = ["first, ", "second, ", "third"]
    records = [
        from_sim(fleet, iccid, piece, udh=f"0500037703{number:02}") for number, piece in enumerate(pieces, 1)
    ]
    assert records[0]["multi_part_info"]["total"] == 3
    for record in (records[2], records[0], records[2]):
        await pushed(fleet, record)
    (line,) = await conversation(fleet, iccid)
    assert (line["text"], line["complete"], line["state"]) == ("first, third", False, "pending")
    assert await fleet.events("sim.sms") == []
    await pushed(fleet, records[1])
    (line,) = await conversation(fleet, iccid)
    assert (line["text"], line["complete"], line["state"]) == ("first, second, third", True, "received")
    assert len(await fleet.events("sim.sms_received")) == 1
    again = [from_sim(fleet, iccid, piece, udh=f"0500037703{n:02}") for n, piece in enumerate("abc", 1)]
    for record in again:
        await pushed(fleet, record)
    assert [line["text"] for line in await conversation(fleet, iccid)] == ["first, second, third", "abc"]


async def test_parts_that_never_come_do_not_hide_the_others(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await pushed(fleet, from_sim(fleet, iccid, "half of ", udh="050003100201"))
    await SmsReceiver(fleet.sessions).expire_incomplete()
    assert await fleet.events("sim.sms") == []
    await fleet.rows("UPDATE sms_messages SET look_at = now() RETURNING 1")
    await SmsReceiver(fleet.sessions).expire_incomplete()
    (line,) = await conversation(fleet, iccid)
    assert (line["state"], line["complete"]) == ("received", False)
    message = await shown(fleet, iccid, line["id"])
    assert message["error_code"] == "SMS_INCOMPLETE"
    assert len(await fleet.events("sim.sms_received")) == 1


async def test_what_comes_from_the_sim_cannot_be_cancelled(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await pushed(fleet, from_sim(fleet, iccid, "half of ", udh="050003100201"))
    (line,) = await conversation(fleet, iccid)
    answer = await fleet.ours.operator.delete(f"/sims/{iccid}/sms/{line['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SMS_NOT_CANCELLABLE")
    await pushed(fleet, from_sim(fleet, iccid, "two", udh="050003100202"))
    (line,) = await conversation(fleet, iccid)
    assert (line["text"], line["state"]) == ("half of two", "received")


async def test_a_report_ends_a_message_once_and_may_come_before_its_answer(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    attach(fleet, 0)
    world = fleet.sandbox.sandbox.world
    message = await send(fleet, iccid, text="prompt")
    pass_time(fleet, 60)
    report = report_record(any_sim(world, iccid), at_carrier(fleet, iccid)[0])
    await pushed(fleet, report, "PATCH")
    failed = report | {"status": {"id": 5, "description": "FAILED"}}
    await pushed(fleet, failed, "PATCH")
    assert (await shown(fleet, iccid, message["id"]))["state"] == "delivered"

    class Overtaken:
        """A carrier whose report is faster than its answer."""

        async def send_sms(self, *args: Any, **options: Any) -> str:
            carrier_id: str = await fleet.app.state.carrier.send_sms(*args, **options)
            pass_time(fleet, 60)
            await pushed(fleet, report_record(any_sim(world, iccid), at_carrier(fleet, iccid)[-1]), "PATCH")
            return carrier_id

    late = await send(fleet, iccid, text="overtaken", send_at="2026-12-31T00:00:00Z")
    await fleet.rows("UPDATE sms_messages SET at = now() WHERE state = 'scheduled' RETURNING 1")
    await SmsDispatch(fleet.sessions, Overtaken()).send(UUID(late["id"]), Priority.BACKGROUND)  # type: ignore[arg-type]
    assert (await shown(fleet, iccid, late["id"]))["state"] == "delivered"
    assert len(await fleet.events("sim.sms_sent")) == 2
    assert await fleet.rows("SELECT 1 FROM sms_reports") == []


async def test_messages_of_unclaimed_and_unknown_sims_are_kept_for_the_platform_only(fleet: Fleet) -> None:
    await fleet.owned_sims(1)
    unclaimed = fleet.sandbox.sims()[5].iccid
    record = from_sim(fleet, unclaimed, "before the claim")
    await pushed(fleet, record)
    await pushed(fleet, record | {"id": 999_999, "endpoint": {"id": 1, "name": FOREIGN}})
    assert await fleet.events("sim.sms") == []
    await fleet.claim(unclaimed)
    assert await conversation(fleet, unclaimed) == []
    kept = (await fleet.platform.get("/sims/sms")).json()["items"]
    assert {message["iccid"] for message in kept} == {unclaimed, FOREIGN}
    assert {message["organization_id"] for message in kept} == {None}


async def test_what_the_forwarder_did_not_bring_is_found_in_the_carriers_list(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await send(fleet, iccid, text="question")
    record = from_sim(fleet, iccid, "answer")
    await run_all_due(fleet)
    await pushed(fleet, record)
    assert [(line["direction"], line["text"]) for line in await conversation(fleet, iccid)] == [
        ("mt", "question"),
        ("mo", "answer"),
    ]
    newest_first = await conversation(fleet, iccid, sort="-at")
    assert [line["text"] for line in newest_first] == ["answer", "question"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"payload": 5}, "payload"),
        ({"endpoint": {"name": "My Endpoint"}}, "endpoint.name"),
        ({"multi_part_info": {"identifier": 1, "total": 2, "partno": 3}}, "multi_part_info"),
        ({"multi_part_info": {"total": 2}}, "multi_part_info"),
    ],
)
async def test_what_cannot_be_read_is_refused_by_name(
    fleet: Fleet, changes: dict[str, Any], field: str
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    error = (await pushed(fleet, from_sim(fleet, iccid, "x") | changes, status=422))["error"]
    assert error["details"]["fields"][0]["field"] == field
    assert await conversation(fleet, iccid) == []


async def test_only_the_carrier_may_push(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    record = from_sim(fleet, iccid, "x")
    for method in ("POST", "PATCH"):
        for auth in (httpx.Auth(), httpx.BasicAuth("carrier", "wrong"), httpx.BasicAuth("", "")):
            answer = await fleet.anyone.request(method, PATH, json=record, auth=auth)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        for content, status in ((b"{", 400), (b"[]", 422), (b'"x"', 422)):
            answer = await fleet.anyone.request(method, PATH, content=content, auth=AUTH)
            assert answer.status_code == status, answer.text
    assert await conversation(fleet, iccid) == []


@pytest.fixture
def address(fleet: Fleet, app_url: str) -> Iterator[str]:
    """The endpoint on a real port, for the sandbox's own pushes."""
    yield f"{app_url}{PATH}"
    set_forwarder(fleet.sandbox.sandbox, None)


async def test_the_sandboxs_forwarder_brings_messages_and_reports(fleet: Fleet, address: str) -> None:
    (iccid,) = await fleet.owned_sims(1)
    attach(fleet, 0)
    login = {"username": AUTH[0], "password": AUTH[1]}
    config = ForwarderConfig.model_validate({"url": address, "retry_seconds": 0.05, **login})
    set_forwarder(fleet.sandbox.sandbox, config)
    message = await send(fleet, iccid, text="ping " * 40)
    from_sim(fleet, iccid, "pong")
    pass_time(fleet, 60)

    async def arrived() -> bool:
        lines = await conversation(fleet, iccid)
        return [(line["text"], line["state"]) for line in lines if line["direction"] == "mo"] == [
            ("pong", "received")
        ] and (await shown(fleet, iccid, message["id"]))["state"] == "delivered"

    await eventually(arrived, timeout=90)
    assert (await sms_jobs(fleet).poll_due()) == 0, "nothing is left to ask the carrier"
