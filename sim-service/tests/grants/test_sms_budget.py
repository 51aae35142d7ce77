"""SMS of a month: so many as are granted, part by part."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from ..billing_support import inject_fault
from ..bulk.bulk_support import bulk, items, run
from ..sms_support import at_carrier
from ..support import Fleet

LONG = "a" * 161
"""Two parts."""


async def ask(fleet: Fleet, iccid: str, **body: Any) -> httpx.Response:
    return await fleet.ours.operator.post(f"/sims/{iccid}/sms", json={"text": "hello"} | body)


async def used(fleet: Fleet) -> tuple[int, int]:
    """This month's SMS, and how many there may be."""
    budget = (await fleet.ours.admin.get(f"/sim/grants/{fleet.ours.id}/budget")).json()
    return budget["sms_used"], budget["sms_per_month"]


def refused(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and answer.json()["error"]["code"] == "SMS_BUDGET_EXCEEDED"


async def test_an_organisation_sends_as_many_as_are_granted_and_no_more(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, sms_per_month=4)
    assert (await ask(fleet, iccid)).status_code == 201
    assert (await ask(fleet, iccid, text=LONG)).status_code == 201
    assert await used(fleet) == (3, 4)
    answer = await ask(fleet, iccid, text=LONG)
    assert refused(answer)
    details = answer.json()["error"]["details"]
    assert (details["parts"], details["remaining"], details["sms_per_month"]) == (2, 1, 4)
    assert (await ask(fleet, iccid)).status_code == 201, "one is left"
    assert refused(await ask(fleet, iccid))
    assert len(at_carrier(fleet, iccid)) == 4
    assert (await fleet.ours.viewer.get(f"/sims/{iccid}/sms")).json()["total"] == 3, (
        "a refused one leaves none"
    )
    await fleet.grant(fleet.ours, sms_per_month=5)
    assert (await ask(fleet, iccid)).status_code == 201


async def test_the_switch_alone_sends_nothing(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    put = await fleet.platform.put(f"/sim/grants/{fleet.ours.id}", json={"sms": True})
    assert put.json()["sms_per_month"] == 0
    assert refused(await ask(fleet, iccid))
    assert not at_carrier(fleet, iccid)


async def test_messages_at_once_share_the_number(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    await fleet.grant(fleet.ours, sms_per_month=5)
    answers = await asyncio.gather(*(ask(fleet, iccid) for iccid in iccids * 4))
    assert sum(answer.status_code == 201 for answer in answers) == 5
    assert sum(refused(answer) for answer in answers) == 7
    assert sum(len(at_carrier(fleet, iccid)) for iccid in iccids) == 5


async def test_a_bulk_action_sends_what_is_left(fleet: Fleet) -> None:
    iccids = await fleet.owned_sims(3)
    await fleet.grant(fleet.ours, sms_per_month=2)
    job = await bulk(fleet, "sms", iccids, params={"text": "hello"})
    await run(fleet)
    codes = sorted(str(item["error_code"]) for item in await items(fleet, job))
    assert codes.count("SMS_BUDGET_EXCEEDED") == 1
    assert await used(fleet) == (2, 2)


async def test_what_was_never_sent_counts_no_more(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, sms_per_month=2)
    now = datetime.now(UTC)
    soon = (now + timedelta(seconds=30)).isoformat()
    planned = await ask(fleet, iccid, text=LONG, send_at=soon)
    assert planned.json()["state"] == "scheduled"
    assert refused(await ask(fleet, iccid, send_at=soon))
    cancelled = await fleet.ours.operator.delete(f"/sims/{iccid}/sms/{planned.json()['id']}")
    assert cancelled.json()["state"] == "cancelled"
    inject_fault(fleet, "status", path="/v?/sims/*/sms", method="POST", status=400, body="{}")
    assert (await ask(fleet, iccid)).status_code == 409, "refused by the carrier"
    assert (await ask(fleet, iccid, text=LONG)).status_code == 201
    assert len(at_carrier(fleet, iccid)) == 2


async def test_each_month_has_its_own_number(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await fleet.grant(fleet.ours, sms_per_month=1)
    assert (await ask(fleet, iccid)).status_code == 201
    assert refused(await ask(fleet, iccid))
    later = (datetime.now(UTC) + timedelta(days=32)).isoformat()
    assert (await ask(fleet, iccid, send_at=later)).status_code == 201
    assert refused(await ask(fleet, iccid, send_at=later))
