"""Messages to SIMs: sent once whatever happens on the way, followed to their end, listed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sim_service.messages.sms.delivery_status import SmsTracker

from ..sms_support import (
    at_carrier,
    fault,
    run_all_due,
    send,
    shown,
)
from ..support import Fleet


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
    await run_all_due(fleet)
    found = await shown(fleet, iccid, message["id"])
    assert (found["state"], found["parts"][0]["carrier_id"]) == ("sent", str(at_carrier(fleet, iccid)[0].id))
    assert len(at_carrier(fleet, iccid)) == 1
    assert len(await fleet.events("sim.sms_sent")) == 1


async def test_a_message_that_never_arrived_is_sent_again_only_after_a_look(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fault(fleet, "html_503")
    message = await send(fleet, iccid, text="again")
    assert message["state"] == "unknown"
    await run_all_due(fleet, settled_after=60)
    assert (await shown(fleet, iccid, message["id"]))["state"] == "unknown", "too early to be sure"
    assert at_carrier(fleet, iccid) == []
    await run_all_due(fleet)
    await run_all_due(fleet)
    assert (await shown(fleet, iccid, message["id"]))["state"] == "sent"
    assert len(at_carrier(fleet, iccid)) == 1


async def test_a_lost_message_older_than_what_was_listed_is_not_sent_again(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fault(fleet, "drop", when="after")
    message = await send(fleet, iccid, text="once")

    class Newest:
        """A carrier whose newest page, the only one that is needed, holds nothing that is so old."""

        async def list_sms(self, *_: Any, **__: Any) -> list[Any]:
            return []

    tracker = SmsTracker(fleet.sessions, Newest(), settled_after=0)  # type: ignore[arg-type]
    await tracker.poll_sim(iccid, datetime.now(UTC) + timedelta(hours=1))
    assert (await shown(fleet, iccid, message["id"]))["state"] == "unknown"
    await run_all_due(fleet)
    assert (await shown(fleet, iccid, message["id"]))["state"] in {"sent", "delivered"}
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

    tracker = SmsTracker(fleet.sessions, Overtaken(), settled_after=0)  # type: ignore[arg-type]
    await tracker.poll_sim(iccid, datetime.now(UTC))
    (message,) = messages
    assert (await shown(fleet, iccid, message["id"]))["state"] == "unknown"
    await run_all_due(fleet)
    await run_all_due(fleet)
    assert (await shown(fleet, iccid, message["id"]))["state"] in {"sent", "delivered"}
    assert len(at_carrier(fleet, iccid)) == 1


async def test_two_alike_messages_in_doubt_are_told_apart(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    fault(fleet, "drop", when="after", count=2)
    messages = [await send(fleet, iccid, text="alike") for _ in range(2)]
    await run_all_due(fleet)
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
        await run_all_due(fleet)
    fleet.sandbox.sandbox.faults.rules.clear()
    for _ in range(3):
        await fleet.calm_breaker()
        await run_all_due(fleet)
    listed = (await fleet.ours.viewer.get(f"/sims/{iccid}/sms", params={"page_size": 100})).json()["items"]
    assert {message["state"] for message in listed} <= {"sent", "delivered"}, [
        (message["text"][:20], message["state"], message["error"]) for message in listed
    ]
    sent = [(sms.payload, sms.udh) for sms in at_carrier(fleet, iccid)]
    assert len(sent) == len(set(sent)) == sum(message["parts_total"] for message in listed)
    assert len(await fleet.events("sim.sms_sent")) == len(listed)


async def test_while_the_carrier_is_away_a_message_waits_and_then_goes_out(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    (iccid,) = await fleet.owned_sims(1)
    breaker = fleet.app.state.resources.carrier._transport._breaker
    monkeypatch.setattr(breaker._context, "ttl", 3600)  # open until the test says otherwise, however slow
    fleet.sandbox.broken = 503
    for _ in range(6):
        await fleet.ours.operator.post(f"/sims/{iccid}/sync")
    message = await send(fleet, iccid, text="later")
    assert message["state"] == "pending"
    fleet.sandbox.broken = None
    await fleet.calm_breaker()
    await run_all_due(fleet)
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


async def test_an_organisation_keeps_a_bounded_number_of_messages(fleet: Fleet) -> None:
    """Also of those for later, of which the carrier does not know yet."""
    (iccid,) = await fleet.owned_sims(1)
    limit = f"/sims/sms/limits/{fleet.ours.id}/sms_messages"
    assert (await fleet.platform.put(limit, json={"maximum": 2})).status_code == 200
    later = {"text": "later", "send_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}
    answers = [await fleet.ours.operator.post(f"/sims/{iccid}/sms", json=later) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 409]
    assert answers[-1].json()["error"]["code"] == "LIMIT_REACHED"
    assert len(await fleet.rows("SELECT 1 FROM sms_messages")) == 2
