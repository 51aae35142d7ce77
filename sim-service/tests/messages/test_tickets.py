"""Support tickets: opened once, found again by their words, kept with their conversations."""

import asyncio
from typing import Any

import pytest

from once_sandbox.faults.schemas import FaultRule
from once_sandbox.tickets.schemas import NewTicket
from once_sandbox.tickets.service import answer as answer_ticket
from once_sandbox.tickets.service import open_ticket
from sim_service.carrier.models import CarrierTicket
from sim_service.work.jobs.models import JobKind

from ..support import Fleet

ASKED = {"subject": "No data", "text": "Since noon nothing arrives."}


async def opened(fleet: Fleet, status: int = 201, *, key: str | None = None, **body: Any) -> dict[str, Any]:
    headers = {"Idempotency-Key": key} if key else None
    answer = await fleet.ours.operator.post("/support-tickets", json=ASKED | body, headers=headers)
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def sync(fleet: Fleet, **settings: Any) -> str:
    """Take over the carrier's list; how the job ended."""
    await fleet.request(JobKind.SYNC_TICKETS)
    while await fleet.runner(**settings).once():
        pass
    jobs = (await fleet.platform.get("/jobs")).json()["items"]
    job = next(job for job in jobs if job["kind"] == "sync_tickets")
    return job["error"] or str(job["state"])


def at_carrier(fleet: Fleet) -> list[Any]:
    return list(fleet.sandbox.sandbox.world.tickets.by_id.values())


def fault(fleet: Fleet, kind: str, **more: Any) -> None:
    rule = {"kind": kind, "path": "/v1/support", "method": "POST", "count": 1} | more
    fleet.sandbox.sandbox.faults.add(FaultRule.model_validate(rule))


async def listed(fleet: Fleet) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await fleet.ours.viewer.get("/support-tickets")).json()["items"]
    return items


async def test_a_ticket_is_opened_once_and_its_number_learnt(fleet: Fleet) -> None:
    ticket = await opened(fleet, key="t")
    (theirs,) = at_carrier(fleet)
    assert (ticket["number"], ticket["status"], ticket["subject"]) == (str(theirs.id), "open", "No data")
    assert (await opened(fleet, key="t"))["id"] == ticket["id"]
    assert len(at_carrier(fleet)) == 1
    second = await opened(fleet)
    assert second["number"] != ticket["number"], "the same words again are another ticket"


async def test_a_conversation_grows_with_each_sync(fleet: Fleet) -> None:
    ticket = await opened(fleet)
    answer_ticket(fleet.sandbox.sandbox.world, int(ticket["number"]), "Have you tried a reset?", "CLOSED")
    assert await sync(fleet) == "succeeded"
    shown = (await fleet.ours.viewer.get(f"/support-tickets/{ticket['id']}")).json()
    assert (shown["status"], shown["entries"]) == ("closed", 2)
    assert shown["solved_at"] is not None
    assert shown["age_seconds"] < 60
    path = f"/support-tickets/{ticket['id']}/conversation"
    first = (await fleet.ours.viewer.get(path, params={"page_size": 1})).json()
    second = (
        await fleet.ours.viewer.get(path, params={"page_size": 1, "cursor": first["next_cursor"]})
    ).json()
    said = [(entry["from_us"], entry["text"]) for entry in first["items"] + second["items"]]
    assert said == [(True, ASKED["text"]), (False, "Have you tried a reset?")]
    assert (first["total"], second["next_cursor"]) == (2, None)


async def test_a_ticket_whose_answer_was_lost_is_found_and_not_opened_again(fleet: Fleet) -> None:
    fault(fleet, "drop", when="after")
    fleet.sandbox.sandbox.faults.add(
        FaultRule.model_validate({"kind": "status", "path": "/v1/support", "method": "GET"})
    )
    ticket = await opened(fleet, key="lost")
    assert ticket["status"] == "unknown"
    fleet.sandbox.sandbox.faults.rules.clear()
    await fleet.calm_breaker()
    assert await sync(fleet) == "succeeded"
    (found,) = await listed(fleet)
    assert (found["id"], found["number"]) == (ticket["id"], str(at_carrier(fleet)[0].id))
    assert len(at_carrier(fleet)) == 1
    assert (await opened(fleet, key="lost"))["number"] == found["number"]


@pytest.mark.parametrize("kind", ["expired_token", "rate_limited"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_ticket_that_is_refused_is_opened_once_and_has_its_number(
    fleet: Fleet, kind: str, when: str
) -> None:
    fault(fleet, kind, when=when)
    ticket = await opened(fleet)
    (one,) = at_carrier(fleet)
    assert (ticket["status"], ticket["number"]) == ("open", str(one.id))


async def test_a_ticket_that_never_arrived_says_so_after_a_while(fleet: Fleet) -> None:
    fault(fleet, "html_503")
    assert (await opened(fleet))["status"] == "unknown"
    await sync(fleet)
    assert (await listed(fleet))[0]["status"] == "unknown", "too early to be sure"
    await sync(fleet, ticket_settled_seconds=0)
    assert (await listed(fleet))[0]["status"] == "failed"
    assert at_carrier(fleet) == []


async def test_without_v1_tickets_cannot_be_opened_but_known_ones_are_shown(fleet: Fleet) -> None:
    await opened(fleet)
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    error = (await opened(fleet, 501, key="off"))["error"]
    assert error["code"] == "CARRIER_OPERATION_UNAVAILABLE"
    assert (await sync(fleet)).startswith("CARRIER_OPERATION_UNAVAILABLE")
    assert [ticket["status"] for ticket in await listed(fleet)] == ["open"]
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = True
    assert (await opened(fleet, key="off"))["status"] == "open", "what was refused may be asked again"


async def test_an_organisation_has_a_bounded_number_of_tickets_and_refused_ones_do_not_count(
    fleet: Fleet,
) -> None:
    path = f"/support-tickets/limits/{fleet.ours.id}"
    assert (await fleet.platform.put(f"{path}/support_tickets", json={"maximum": 1})).status_code == 200
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = False
    await opened(fleet, 501, key="off")
    fleet.sandbox.sandbox.world.behaviours.v1_enabled = True
    await opened(fleet, key="first")
    assert (await opened(fleet, 409, key="second"))["error"]["code"] == "LIMIT_REACHED"
    assert (await opened(fleet, key="first"))["status"] == "open", "what was answered is answered again"
    assert (await fleet.platform.get(path)).json() == [
        {"name": "support_tickets", "used": 1, "maximum": 1, "default": 10_000}
    ]
    assert len(at_carrier(fleet)) == 1


async def test_tickets_belong_to_who_opened_them_others_only_to_the_platform(fleet: Fleet) -> None:
    ticket = await opened(fleet)
    open_ticket(fleet.sandbox.sandbox.world, NewTicket(subject="By phone", text="?"))
    await sync(fleet)
    assert [one["id"] for one in await listed(fleet)] == [ticket["id"]]
    every = (await fleet.platform.get("/support-tickets")).json()["items"]
    assert {(one["subject"], one["organization_id"]) for one in every} == {
        ("By phone", None),
        ("No data", str(fleet.ours.id)),
    }
    for path in (f"/support-tickets/{ticket['id']}", f"/support-tickets/{ticket['id']}/conversation"):
        answer = await fleet.theirs.admin.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "TICKET_NOT_FOUND")
    assert (await fleet.ours.viewer.post("/support-tickets", json=ASKED)).status_code == 403
    assert (await fleet.ours.viewer.post("/support-tickets/sync")).status_code == 403
    asked = await fleet.ours.operator.post("/support-tickets/sync")
    assert (asked.status_code, asked.json()["kind"]) == (202, "sync_tickets")


async def test_many_syncs_at_once_take_each_ticket_over_once(fleet: Fleet) -> None:
    for number in range(130):
        open_ticket(fleet.sandbox.sandbox.world, NewTicket(subject=f"s{number}", text="t"))
    await fleet.request(JobKind.SYNC_TICKETS)
    await asyncio.gather(*(opened(fleet, subject=f"o{number}") for number in range(3)), fleet.runner().once())
    rows = await fleet.rows(
        "SELECT count(*), count(DISTINCT carrier_id), count(organization_id) FROM support_tickets"
    )
    assert tuple(rows[0]) == (133, 133, 3)


async def test_what_makes_no_ticket_is_refused_by_name(fleet: Fleet) -> None:
    for body, field in (
        ({"subject": " "}, "subject"),
        ({"text": ""}, "text"),
        ({"reply_to": "nobody"}, "reply_to"),
        ({"reply_to": "somebody-else@example.com"}, "reply_to"),
        ({"urgent": True}, "urgent"),
    ):
        error = (await opened(fleet, 422, **body))["error"]
        assert error["details"]["fields"][0]["field"] == field
    assert at_carrier(fleet) == []


def test_a_ticket_is_recognised_without_the_space_around_its_words() -> None:
    listed = CarrierTicket("1", "no network", "since noon", "open")
    assert listed.has_content(" no network ", "since noon\n")
    assert not listed.has_content("No network", "since noon")
