"""Messages to SIMs: sent once whatever happens on the way, followed to their end, listed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from sim_service.carrier.facts import Priority
from sim_service.sms.dispatch import SmsDispatch
from sim_service.sms.follow import SmsFollow

from .sms_support import at_carrier, attach, both, duty, fault, pass_time, send, shown, work
from .support import Fleet


async def test_a_message_is_sent_once_and_told_of_once(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    first = await send(fleet, iccid, key="a", text="Grüße", source="4915100")
    assert (first["state"], first["coding"], first["text"]) == ("sent", "text", "Grüße")
    again = await send(fleet, iccid, key="a", text="Grüße", source="4915100")
    assert again["id"] == first["id"]
    (theirs,) = at_carrier(fleet, iccid)
    assert (theirs.payload, theirs.dcs, theirs.udh, theirs.source_address) == ("Grüße", 0, "", "4915100")
    assert first["parts"] == [
        {"number": 1, "state": "sent", "carrier_id": str(theirs.id), "delivered_at": None}
    ]
    (event,) = await fleet.events("sim.sms")
    assert (event["type"], event["organizationid"]) == ("sim.sms_sent", str(fleet.ours.id))
    assert event["data"] == {"iccid": iccid, "message_id": first["id"]}


async def test_a_long_message_goes_out_in_parts(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="ж" * 100)
    assert (message["state"], message["coding"], message["parts_total"]) == ("sent", "ucs2", 2)
    first, second = at_carrier(fleet, iccid)
    assert (first.dcs, second.dcs, len(first.payload), len(second.payload)) == (8, 8, 67, 33)
    assert (first.udh[:6], first.udh[8:], second.udh[8:]) == ("050003", "0201", "0202")
    other = await send(fleet, iccid, text="x" * 161)
    assert at_carrier(fleet, iccid)[2].udh[6:8] != first.udh[6:8], "another message, another reference"
    assert len(await fleet.events("sim.sms_sent")) == 2
    binary = await send(fleet, iccid, hex="00ff", coding="binary")
    assert (binary["hex"], binary["text"], at_carrier(fleet, iccid)[-1].dcs) == ("00FF", None, 4)
    assert other["id"] != binary["id"]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"text": "ж", "coding": "text"}, "text", "SMS_CHARACTERS_UNKNOWN"),
        ({"text": "a" * 1531}, "text", "SMS_TOO_LONG"),
        ({"text": ""}, "text", "VALIDATION_FAILED"),
        ({}, "", "VALIDATION_FAILED"),
        ({"text": "a", "hex": "00"}, "", "VALIDATION_FAILED"),
        ({"text": "a", "coding": "binary"}, "", "VALIDATION_FAILED"),
        ({"hex": "0"}, "hex", "VALIDATION_FAILED"),
        ({"text": "a", "source": "much too long a name"}, "source", "VALIDATION_FAILED"),
        ({"text": "a", "expires_in": 60, "expires_at": "2030-01-01T00:00:00Z"}, "", "VALIDATION_FAILED"),
        ({"text": "a", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "VALIDATION_FAILED"),
        ({"text": "a", "send_at": "2020-01-01T00:00:00Z"}, "send_at", "VALIDATION_FAILED"),
        ({"text": "a", "colour": "red"}, "colour", "VALIDATION_FAILED"),
    ],
)
async def test_what_cannot_be_sent_is_refused_by_name(
    fleet: Fleet, body: dict[str, Any], field: str, code: str
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    error = (await send(fleet, iccid, 422, **body))["error"]
    assert (error["code"], error["details"]["fields"][0]["field"]) == (code, field)
    assert at_carrier(fleet, iccid) == []


async def test_a_message_whose_answer_was_lost_is_found_and_not_repeated(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fault(fleet, "drop", when="after")
    message = await send(fleet, iccid, text="once")
    assert message["state"] == "unknown"
    await work(fleet)
    found = await shown(fleet, iccid, message["id"])
    assert (found["state"], found["parts"][0]["carrier_id"]) == ("sent", str(at_carrier(fleet, iccid)[0].id))
    assert len(at_carrier(fleet, iccid)) == 1
    assert len(await fleet.events("sim.sms_sent")) == 1


async def test_a_message_that_never_arrived_is_sent_again_only_after_a_look(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fault(fleet, "html_503")
    message = await send(fleet, iccid, text="again")
    assert message["state"] == "unknown"
    await work(fleet, settled_after=60)
    assert (await shown(fleet, iccid, message["id"]))["state"] == "unknown", "too early to be sure"
    assert at_carrier(fleet, iccid) == []
    await work(fleet)
    await work(fleet)
    assert (await shown(fleet, iccid, message["id"]))["state"] == "sent"
    assert len(at_carrier(fleet, iccid)) == 1


async def test_what_was_asked_for_after_the_list_was_read_is_not_missed_in_it(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    messages: list[Any] = []

    class Overtaken:
        """A carrier whose list is old when it arrives."""

        async def list_sms(self, *args: Any, **options: Any) -> Any:
            listed = await fleet.app.state.carrier.list_sms(*args, **options)
            fault(fleet, "drop", when="after")
            messages.append(await send(fleet, iccid, text="meanwhile"))
            return listed

    follow = SmsFollow(fleet.sessions, Overtaken(), settled_after=0)  # type: ignore[arg-type]
    await follow.look_at(iccid, datetime.now(UTC))
    (message,) = messages
    assert (await shown(fleet, iccid, message["id"]))["state"] == "unknown"
    await work(fleet)
    await work(fleet)
    assert (await shown(fleet, iccid, message["id"]))["state"] in {"sent", "delivered"}
    assert len(at_carrier(fleet, iccid)) == 1


async def test_two_alike_messages_in_doubt_are_told_apart(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fault(fleet, "drop", when="after", count=2)
    messages = [await send(fleet, iccid, text="alike") for _ in range(2)]
    await work(fleet)
    found = [await shown(fleet, iccid, message["id"]) for message in messages]
    ids = [part["carrier_id"] for message in found for part in message["parts"]]
    assert sorted(ids) == [str(sms.id) for sms in at_carrier(fleet, iccid)]


async def test_every_fault_one_by_one_and_mixed_sends_each_message_once(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    kinds = (
        "status",
        "html_503",
        "drop",
        "truncate",
        "expired_token",
        "empty_200",
        "not_json",
        "rate_limited",
    )
    for kind in kinds:
        for when in ("before", "after"):
            fault(fleet, kind, when=when, headers={"Retry-After": "0"} if kind == "rate_limited" else {})
            await send(fleet, iccid, text=f"{kind} {when} " + "x" * 150)
            fleet.sandbox.sandbox.faults.rules.clear()
            await fleet.calm_breaker()
    for kind in kinds:
        fault(fleet, kind, path="/v?/sims/*", method="*", share=0.2 / len(kinds), count=None)
    for number in range(10):
        await send(fleet, iccid, text=f"mixed {number}")
    for _ in range(4):
        await fleet.calm_breaker()
        await work(fleet)
    fleet.sandbox.sandbox.faults.rules.clear()
    for _ in range(3):
        await fleet.calm_breaker()
        await work(fleet)
    listed = (await fleet.ours.viewer.get(f"/sims/{iccid}/sms", params={"page_size": 100})).json()["items"]
    assert {message["state"] for message in listed} <= {"sent", "delivered"}, [
        (message["text"][:20], message["state"], message["error"]) for message in listed
    ]
    sent = [(sms.payload, sms.udh) for sms in at_carrier(fleet, iccid)]
    assert len(sent) == len(set(sent)) == sum(message["parts_total"] for message in listed)
    assert len(await fleet.events("sim.sms_sent")) == len(listed)


async def test_while_the_carrier_is_away_a_message_waits_and_then_goes_out(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fleet.sandbox.broken = 503
    for _ in range(6):
        await fleet.ours.operator.post(f"/sims/{iccid}/sync")
    message = await send(fleet, iccid, text="later")
    assert message["state"] == "pending"
    fleet.sandbox.broken = None
    await fleet.calm_breaker()
    await work(fleet)
    assert (await shown(fleet, iccid, message["id"]))["state"] in {"sent", "delivered"}
    assert [sms.payload for sms in at_carrier(fleet, iccid)] == ["later"]


async def test_an_expired_sim_says_so(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    sim = fleet.sandbox.sims()[0]
    sim.data.expires_at = sim.sms.expires_at = fleet.sandbox.sandbox.world.clock.now() - 1
    error = (await send(fleet, iccid, 409, key="e", text="hello"))["error"]
    assert error["code"] == "SIM_EXPIRED"
    message = await shown(fleet, iccid, error["details"]["message_id"])
    assert (message["state"], message["error_code"]) == ("failed", "SIM_EXPIRED")
    assert (await send(fleet, iccid, 409, key="e", text="hello"))["error"]["code"] == "SIM_EXPIRED"
    assert await fleet.events("sim.sms") == []


async def test_a_scheduled_message_waits_for_its_time_and_can_be_cancelled(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    at = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    first, second = [await send(fleet, iccid, text=name, send_at=at, expires_in=600) for name in "ab"]
    assert (first["state"], first["sent_at"]) == ("scheduled", None)
    await both(fleet)
    assert at_carrier(fleet, iccid) == []
    cancelled = await fleet.ours.operator.delete(f"/sims/{iccid}/sms/{first['id']}")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    await fleet.rows(
        "UPDATE sms_messages SET at = now(), look_at = now() WHERE look_at IS NOT NULL RETURNING 1"
    )
    await both(fleet)
    assert [sms.payload for sms in at_carrier(fleet, iccid)] == ["b"]
    assert (await shown(fleet, iccid, second["id"]))["state"] in {"sent", "delivered"}


async def test_a_message_that_was_sent_is_cancelled_at_the_carrier_unless_it_is_too_late(
    fleet: Fleet,
) -> None:
    first, second = await fleet.owned_sims(2)
    waiting = await send(fleet, first, text="a" * 200)
    cancelled = await fleet.ours.operator.delete(f"/sims/{first}/sms/{waiting['id']}")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled"), cancelled.text
    pass_time(fleet, 3600)
    assert {sms.status for sms in at_carrier(fleet, first)} == {5}
    await work(fleet)
    assert (await shown(fleet, first, waiting["id"]))["state"] == "cancelled", "what we cancelled stays so"
    attach(fleet, 1)
    delivered = await send(fleet, second, text="quick")
    pass_time(fleet, 60)
    late = await fleet.ours.operator.delete(f"/sims/{second}/sms/{delivered['id']}")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "SMS_NOT_CANCELLABLE")
    await work(fleet)
    assert (await shown(fleet, second, delivered["id"]))["state"] == "delivered"


async def test_the_end_of_a_message_is_asked_for(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    attach(fleet, 0)
    message = await send(fleet, iccid, text="b" * 200)
    pass_time(fleet, 60)
    await work(fleet)
    ended = await shown(fleet, iccid, message["id"])
    assert (ended["state"], [part["state"] for part in ended["parts"]]) == ("delivered", ["delivered"] * 2)
    assert ended["delivered_at"] is not None
    calls = fleet.sandbox.called("/sms")
    await work(fleet)
    assert fleet.sandbox.called("/sms") == calls, "what has ended is not asked about again"


async def test_several_workers_send_each_message_once(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    for number in range(12):
        await send(fleet, iccids[number % 3], text=f"n{number}", send_at=_soon())
    await fleet.rows("UPDATE sms_messages SET at = now(), look_at = now() RETURNING 1")
    await asyncio.gather(*(duty(fleet).send_due() for _ in range(3)))
    sent = [sms.payload for iccid in iccids for sms in at_carrier(fleet, iccid)]
    assert sorted(sent) == sorted(f"n{number}" for number in range(12))


async def test_a_sender_that_dies_while_it_asks_leaves_a_message_that_is_looked_for(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="orphan", send_at=_soon())
    await fleet.rows("UPDATE sms_messages SET at = now(), look_at = now() RETURNING 1")
    dispatch = SmsDispatch(fleet.sessions, _Dying(fleet))  # type: ignore[arg-type]
    with pytest.raises(ConnectionAbortedError):
        await dispatch.send(_uuid(message["id"]), Priority.BACKGROUND)
    await work(fleet)
    assert len(at_carrier(fleet, iccid)) == 1, "somebody may still be asking"
    await fleet.rows("UPDATE sms_parts SET asked_at = asked_at - interval '1 hour' RETURNING 1")
    await work(fleet, settled_after=7200)
    await work(fleet, settled_after=7200)
    assert (await shown(fleet, iccid, message["id"]))["state"] in {"sent", "delivered"}
    assert len(at_carrier(fleet, iccid)) == 1


async def test_what_was_not_sent_in_its_time_expires(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="old", send_at=_soon(), expires_in=60)
    await fleet.rows(
        "UPDATE sms_messages SET at = now() - interval '1 hour', look_at = now(), "
        "expires_at = now() - interval '59 minutes' RETURNING 1"
    )
    await both(fleet)
    ended = await shown(fleet, iccid, message["id"])
    assert (ended["state"], ended["error_code"]) == ("expired", "SMS_EXPIRED")
    assert at_carrier(fleet, iccid) == []


async def test_a_message_that_waits_dies_with_the_ownership_of_its_sim(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="from the owner before", send_at=_soon())
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code < 300
    await fleet.claim(iccid, by=fleet.theirs)
    await fleet.rows("UPDATE sms_messages SET at = now(), look_at = now() RETURNING 1")
    await both(fleet)
    assert at_carrier(fleet, iccid) == []
    mine = (await fleet.ours.viewer.get("/sims/sms")).json()["items"]
    assert [(one["id"], one["state"], one["error_code"]) for one in mine] == [
        (message["id"], "cancelled", "SIM_RELEASED")
    ]
    assert (await fleet.theirs.viewer.get(f"/sims/{iccid}/sms")).json()["items"] == []


async def test_nobody_else_sees_or_sends(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="ours")
    theirs = fleet.theirs.operator
    for method, path in (
        ("POST", f"/sims/{iccid}/sms"),
        ("GET", f"/sims/{iccid}/sms"),
        ("GET", f"/sims/{iccid}/sms/conversation"),
        ("GET", f"/sims/{iccid}/sms/{message['id']}"),
        ("DELETE", f"/sims/{iccid}/sms/{message['id']}"),
    ):
        body = {"text": "x"} if method == "POST" else None
        answer = await theirs.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SIM_NOT_FOUND"), path
    assert (await theirs.get("/sims/sms")).json()["items"] == []
    assert (await fleet.ours.viewer.post(f"/sims/{iccid}/sms", json={"text": "x"})).status_code == 403
    assert (await fleet.ours.viewer.delete(f"/sims/{iccid}/sms/{message['id']}")).status_code == 403
    missing = await fleet.ours.viewer.get(f"/sims/{iccid}/sms/{uuid4()}")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "SMS_NOT_FOUND")
    unclaimed = fleet.sandbox.sims()[9].iccid
    answer = await fleet.platform.post(f"/sims/{unclaimed}/sms", json={"text": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "SIM_UNCLAIMED")


async def test_the_history_is_filtered_and_paged_both_ways(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    for number in range(5):
        await send(fleet, first, text=f"m{number}")
    await send(fleet, second, text="elsewhere", send_at=_soon())
    viewer = fleet.ours.viewer
    page = (await viewer.get(f"/sims/{first}/sms", params={"page_size": 2})).json()
    assert ([item["text"] for item in page["items"]], page["total"]) == (["m4", "m3"], 5)
    after = (
        await viewer.get(f"/sims/{first}/sms", params={"page_size": 2, "cursor": page["next_cursor"]})
    ).json()
    assert ([item["text"] for item in after["items"]], after["total"]) == (["m2", "m1"], None)
    every = (await viewer.get("/sims/sms")).json()
    assert every["total"] == 6
    scheduled = (await viewer.get("/sims/sms", params={"state": "scheduled"})).json()["items"]
    assert [item["text"] for item in scheduled] == ["elsewhere"]
    later = (await viewer.get("/sims/sms", params={"from": _soon()})).json()
    assert later["total"] == 0
    one = (await viewer.get("/sims/sms", params={"iccid": second})).json()
    assert one["total"] == 1
    bad = await viewer.get("/sims/sms", params={"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"})
    assert bad.status_code == 422
    wrong = await viewer.get(f"/sims/{first}/sms/conversation", params={"cursor": page["next_cursor"]})
    assert wrong.status_code == 422


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def _uuid(value: str) -> Any:
    from uuid import UUID

    return UUID(value)


class _Dying:
    """A carrier whose asker dies before it has the answer."""

    def __init__(self, fleet: Fleet) -> None:
        self._carrier = fleet.app.state.carrier

    async def send_sms(self, *args: Any, **options: Any) -> str:
        await self._carrier.send_sms(*args, **options)
        raise ConnectionAbortedError
