"""Messages to SIMs: schedules, cancelling, expiry, many workers, history."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from sim_service.carrier.models import Priority
from sim_service.messages.sms.dispatch import SmsDispatch

from ..sms_support import (
    at_carrier,
    attach,
    pass_time,
    run_all_due,
    send,
    send_and_poll,
    shown,
    sms_jobs,
)
from ..support import Fleet


async def test_a_scheduled_message_waits_for_its_time_and_can_be_cancelled(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    at = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    first, second = [await send(fleet, iccid, text=name, send_at=at, expires_in=600) for name in "ab"]
    assert (first["state"], first["sent_at"]) == ("scheduled", None)
    await send_and_poll(fleet)
    assert at_carrier(fleet, iccid) == []
    cancelled = await fleet.ours.operator.delete(f"/sims/{iccid}/sms/{first['id']}")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    await fleet.rows(
        "UPDATE sms_messages SET at = now(), look_at = now() WHERE look_at IS NOT NULL RETURNING 1"
    )
    await send_and_poll(fleet)
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
    await run_all_due(fleet)
    assert (await shown(fleet, first, waiting["id"]))["state"] == "cancelled", "what we cancelled stays so"
    attach(fleet, 1)
    delivered = await send(fleet, second, text="quick")
    pass_time(fleet, 60)
    late = await fleet.ours.operator.delete(f"/sims/{second}/sms/{delivered['id']}")
    assert (late.status_code, late.json()["error"]["code"]) == (409, "SMS_NOT_CANCELLABLE")
    await run_all_due(fleet)
    assert (await shown(fleet, second, delivered["id"]))["state"] == "delivered"


async def test_the_end_of_a_message_is_asked_for(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    attach(fleet, 0)
    message = await send(fleet, iccid, text="b" * 200)
    pass_time(fleet, 60)
    await run_all_due(fleet)
    ended = await shown(fleet, iccid, message["id"])
    assert (ended["state"], [part["state"] for part in ended["parts"]]) == ("delivered", ["delivered"] * 2)
    assert ended["delivered_at"] is not None
    calls = fleet.sandbox.called("/sms")
    await run_all_due(fleet)
    assert fleet.sandbox.called("/sms") == calls, "what has ended is not asked about again"


async def test_several_workers_send_each_message_once(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    for number in range(12):
        await send(fleet, iccids[number % 3], text=f"n{number}", send_at=_soon())
    await fleet.rows("UPDATE sms_messages SET at = now(), look_at = now() RETURNING 1")
    await asyncio.gather(*(sms_jobs(fleet).send_due() for _ in range(3)))
    sent = [sms.payload for iccid in iccids for sms in at_carrier(fleet, iccid)]
    assert sorted(sent) == sorted(f"n{number}" for number in range(12))


async def test_a_sender_that_dies_while_it_asks_leaves_a_message_that_is_looked_for(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="orphan", send_at=_soon())
    await fleet.rows("UPDATE sms_messages SET at = now(), look_at = now() RETURNING 1")
    dispatch = SmsDispatch(fleet.sessions, _Dying(fleet))  # type: ignore[arg-type]
    with pytest.raises(ConnectionAbortedError):
        await dispatch.send(_uuid(message["id"]), Priority.BACKGROUND)
    await run_all_due(fleet)
    assert len(at_carrier(fleet, iccid)) == 1, "somebody may still be asking"
    await fleet.rows("UPDATE sms_parts SET asked_at = asked_at - interval '1 hour' RETURNING 1")
    await run_all_due(fleet, settled_after=7200)
    await run_all_due(fleet, settled_after=7200)
    assert (await shown(fleet, iccid, message["id"]))["state"] in {"sent", "delivered"}
    assert len(at_carrier(fleet, iccid)) == 1


async def test_what_was_not_sent_in_its_time_expires(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="old", send_at=_soon(), expires_in=60)
    await fleet.rows(
        "UPDATE sms_messages SET at = now() - interval '1 hour', look_at = now(), "
        "expires_at = now() - interval '59 minutes' RETURNING 1"
    )
    await send_and_poll(fleet)
    ended = await shown(fleet, iccid, message["id"])
    assert (ended["state"], ended["error_code"]) == ("expired", "SMS_EXPIRED")
    assert at_carrier(fleet, iccid) == []


async def test_a_message_that_waits_dies_with_the_ownership_of_its_sim(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    message = await send(fleet, iccid, text="from the owner before", send_at=_soon())
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code < 300
    await fleet.claim(iccid, by=fleet.theirs)
    await fleet.rows("UPDATE sms_messages SET at = now(), look_at = now() RETURNING 1")
    await send_and_poll(fleet)
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
