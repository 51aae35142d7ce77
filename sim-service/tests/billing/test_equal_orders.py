"""Equal orders of two organisations in one account: placed one after the other, and nobody learns of it."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx

from ..billing_support import carrier_idle, carrier_ledger, inject_fault
from ..support import Fleet, Organization
from .test_orders import WANTED, look_for_requests


async def place_as(organization: Organization, **headers: str) -> httpx.Response:
    key = {"Idempotency-Key": str(uuid4())} | headers
    answer = await organization.admin.post("/orders", json=WANTED, headers=key)
    assert answer.status_code == 202, answer.text
    return answer


async def request_of(organization: Organization, answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = (await organization.viewer.get(f"/orders/requests/{answer.json()['id']}")).json()
    return found


async def lost_order(fleet: Fleet, when: str = "after") -> httpx.Response:
    """An order of ours whose answer is lost; the carrier has it if it was lost `after` that."""
    inject_fault(fleet, "drop", path="/v1/orders", method="POST", when=when)
    answer = await place_as(fleet.ours)
    assert answer.json()["state"] == "unknown"
    return answer


async def numbers_at_carrier(fleet: Fleet) -> list[str]:
    return [str(line["order_number"]) for line in (await carrier_ledger(fleet))["lines"]]


async def test_an_order_equal_to_a_lost_one_of_another_organisation_waits_its_turn(fleet: Fleet) -> None:
    await fleet.grant(fleet.theirs)
    ours = await lost_order(fleet)
    theirs = await place_as(fleet.theirs)
    assert theirs.json()["state"] == "requested"
    assert set(theirs.json()) == set(ours.json()), "nothing says that it waits for another"
    assert len(await numbers_at_carrier(fleet)) == 1
    await carrier_idle(fleet)
    await look_for_requests(fleet)
    first, second = await request_of(fleet.ours, ours), await request_of(fleet.theirs, theirs)
    assert (first["state"], second["state"]) == ("ordered", "ordered")
    assert [first["order_number"], second["order_number"]] == await numbers_at_carrier(fleet)


async def test_while_the_first_is_not_settled_the_second_is_not_sent(fleet: Fleet) -> None:
    await fleet.grant(fleet.theirs)
    await lost_order(fleet, when="before")
    theirs = await place_as(fleet.theirs)
    for _ in range(2):
        await look_for_requests(fleet)
    assert await numbers_at_carrier(fleet) == []
    assert (await request_of(fleet.theirs, theirs))["state"] == "requested"
    await look_for_requests(fleet, give_up=0)
    assert (await request_of(fleet.theirs, theirs))["state"] == "ordered"
    assert len(await numbers_at_carrier(fleet)) == 1


async def test_workers_at_once_place_what_waited_once(fleet: Fleet) -> None:
    await fleet.grant(fleet.theirs)
    await lost_order(fleet)
    await place_as(fleet.theirs)
    await carrier_idle(fleet)
    await look_for_requests(fleet)
    await asyncio.gather(*(look_for_requests(fleet) for _ in range(4)))
    assert len(await numbers_at_carrier(fleet)) == 2


async def test_who_waits_longer_is_placed_first(fleet: Fleet) -> None:
    await fleet.grant(fleet.theirs)
    ours = await lost_order(fleet)
    theirs = await place_as(fleet.theirs)
    await carrier_idle(fleet)
    await fleet.rows(
        "UPDATE order_requests SET state = 'failed', reason = 'SETTLED_BY_HAND' WHERE id = :id RETURNING id",
        id=ours.json()["id"],
    )
    again = await place_as(fleet.ours)
    assert again.json()["state"] == "requested", "theirs has waited longer"
    await look_for_requests(fleet)
    second, third = await request_of(fleet.theirs, theirs), await request_of(fleet.ours, again)
    assert (second["state"], third["state"]) == ("ordered", "requested")
    await look_for_requests(fleet)
    assert (await request_of(fleet.ours, again))["state"] == "ordered"
    assert len(await numbers_at_carrier(fleet)) == 3


async def test_what_waits_holds_its_money_and_is_placed_only_if_it_still_may_be(fleet: Fleet) -> None:
    await fleet.grant(fleet.theirs, budget_per_month="36")
    ours = await lost_order(fleet)
    theirs = await place_as(fleet.theirs)
    left = (await fleet.theirs.admin.get(f"/sim/grants/{fleet.theirs.id}/budget")).json()
    assert left["remaining"] == "0.30"
    again = await fleet.theirs.admin.post("/orders", json=WANTED, headers={"Idempotency-Key": "two"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "ORDER_IN_PROGRESS"), "its own"
    await fleet.grant(fleet.theirs, orders=False)
    await carrier_idle(fleet)
    await look_for_requests(fleet)
    assert (await request_of(fleet.ours, ours))["state"] == "ordered"
    found = await request_of(fleet.theirs, theirs)
    assert (found["state"], found["reason"]) == ("failed", "NOT_GRANTED")
    assert len(await numbers_at_carrier(fleet)) == 1


async def test_what_could_not_be_placed_within_a_day_never_is(fleet: Fleet) -> None:
    await fleet.grant(fleet.theirs)
    await lost_order(fleet, when="before")
    theirs = await place_as(fleet.theirs)
    await fleet.rows(
        "UPDATE order_requests SET next_look_at = next_look_at - interval '25 hours' RETURNING id"
    )
    await look_for_requests(fleet, give_up=0)
    found = await request_of(fleet.theirs, theirs)
    assert (found["state"], found["reason"]) == ("failed", "NEVER_SENT")
    assert await numbers_at_carrier(fleet) == []


async def test_of_retries_at_once_of_an_order_that_failed_one_buys_and_the_others_find_it(
    fleet: Fleet,
) -> None:
    key = {"Idempotency-Key": "again"}
    inject_fault(fleet, "status", path="/v1/orders", method="POST", status=400)
    refused = await fleet.ours.admin.post("/orders", json=WANTED, headers=key)
    assert refused.status_code >= 400, refused.text
    answers = await asyncio.gather(*(place_as(fleet.ours, **key) for _ in range(6)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(await numbers_at_carrier(fleet)) == 1
