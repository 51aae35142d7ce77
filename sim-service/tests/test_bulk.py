"""One action for many SIMs: a result for each, nothing twice, only one's own."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from fleet_kit.testing import eventually
from once_sandbox.faults.schemas import FaultRule
from sim_service.bulk.spending import SmsStep
from sim_service.bulk.work import BulkWork
from sim_service.jobs.models import JobKind
from sim_service.jobs.runner import Held, JobRunner
from sim_service.sms.service import Draft

from .money_support import agree, look, quiet, theirs
from .sms_support import at_carrier, work
from .support import Fleet
from .test_plans import queries

STRANGER = "8988280666000099999"
PAID = {"payment_method": "credit_card"}


async def bulk(fleet: Fleet, action: str, iccids: list[str] | None = None, **more: Any) -> dict[str, Any]:
    """A bulk job, as an operator asks for it."""
    body = {"action": action, **({"iccids": iccids} if iccids else {}), **more}
    answer = await fleet.ours.operator.post("/sims/bulk", json=body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json()['id']}"
    job: dict[str, Any] = answer.json()
    return job


async def run(fleet: Fleet, **changes: Any) -> None:
    """Let the worker take up everything, also what was put off."""
    runner = fleet.runner(**changes)
    for _ in range(3):
        await fleet.rows("UPDATE jobs SET due_at = now() WHERE kind = 'bulk' AND due_at > now() RETURNING id")
        while await runner.once():
            pass


async def job_of(fleet: Fleet, job: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await fleet.ours.viewer.get(f"/jobs/{job['id']}")).json()
    return found


async def items(fleet: Fleet, job: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    page = (await fleet.ours.viewer.get(f"/jobs/{job['id']}/items", params=query)).json()
    found: list[dict[str, Any]] = page["items"]
    return found


async def test_sims_are_switched_off_with_a_result_for_each(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(4)
    (foreign,) = [sim.iccid for sim in fleet.sandbox.sims()[4:5]]
    await fleet.claim(foreign, by=fleet.theirs)
    job = await bulk(fleet, "disable", [*ours, foreign, STRANGER])
    assert (job["kind"], job["total"], job["params"]["action"]) == ("bulk", 6, "disable")
    await run(fleet)
    waiting = await job_of(fleet, job)
    assert (waiting["state"], waiting["done"], waiting["result"]) == (
        "running",
        2,
        {"working": 4, "failed": 2},
    )
    await fleet.reconcile()
    await run(fleet)
    done = await job_of(fleet, job)
    assert (done["state"], done["done"], done["progress"]) == ("succeeded", 6, 1.0)
    assert done["result"] == {"succeeded": 4, "failed": 2}
    found = await items(fleet, job)
    assert [item["iccid"] for item in found] == [*ours, foreign, STRANGER]
    assert [item["error_code"] for item in found] == [None] * 4 + ["SIM_NOT_FOUND"] * 2
    assert not any(sim.enabled for sim in fleet.sandbox.sims()[:4])
    assert fleet.sandbox.sims()[4].enabled
    again = await bulk(fleet, "disable", ours)
    await run(fleet)
    assert [item["result"] for item in await items(fleet, again)] == [{"changed": False}] * 4


async def test_items_are_paged_filtered_and_only_the_owners(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(5)
    job = await bulk(fleet, "tag", [*ours, STRANGER], params={"tags": ["winter"]})
    await run(fleet)
    path = f"/jobs/{job['id']}/items"
    first = (await fleet.ours.viewer.get(path, params={"page_size": 4})).json()
    rest = (await fleet.ours.viewer.get(path, params={"page_size": 4, "cursor": first["next_cursor"]})).json()
    assert [item["number"] for item in first["items"] + rest["items"]] == [1, 2, 3, 4, 5, 6]
    assert (first["total"], rest["next_cursor"]) == (6, None)
    assert [item["iccid"] for item in await items(fleet, job, state="failed")] == [STRANGER]
    assert (await fleet.theirs.viewer.get(path)).status_code == 404
    assert (await fleet.ours.viewer.get(path, params={"cursor": "WyJ4Il0"})).status_code == 422


async def test_tags_come_and_go_and_a_label_reaches_the_carrier(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    await bulk(fleet, "tag", ours, params={"tags": ["winter", "north"]})
    await bulk(fleet, "untag", ours[:1], params={"tags": ["winter"]})
    labelled = await bulk(fleet, "label", ours, params={"label": "pump"})
    await run(fleet)
    await fleet.reconcile()
    await run(fleet)
    tags = [(await fleet.ours.viewer.get(f"/sims/{iccid}")).json()["tags"] for iccid in ours]
    assert tags == [["north"], ["winter", "north"], ["winter", "north"]]
    assert {sim.label for sim in fleet.sandbox.sims()[:3]} == {"pump"}
    assert (await job_of(fleet, labelled))["state"] == "succeeded"


async def test_a_filter_is_the_lists_own_and_stays_within_the_organisation(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(4)
    await fleet.claim(fleet.sandbox.sims()[4].iccid, by=fleet.theirs)
    job = await bulk(fleet, "tag", filter={"search": ours[1]}, params={"tags": ["one"]})
    everything = await bulk(fleet, "tag", filter={}, params={"tags": ["all"]})
    await run(fleet)
    assert [item["iccid"] for item in await items(fleet, job)] == [ours[1]]
    assert [item["iccid"] for item in await items(fleet, everything)] == ours
    body = {"action": "enable", "filter": {"search": "nothing like it"}}
    assert (await fleet.ours.operator.post("/sims/bulk", json=body)).status_code == 422
    fleet.app.state.settings = fleet.settings.model_copy(update={"bulk_most_sims": 3})
    too_many = await fleet.ours.operator.post("/sims/bulk", json={"action": "enable", "filter": {}})
    assert (too_many.status_code, "more than 3" in too_many.text) == (422, True)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "enable"},
        {"action": "enable", "iccids": []},
        {"action": "enable", "iccids": ["89882806660000000001"]},
        {"action": "enable", "iccids": [STRANGER], "filter": {}},
        {"action": "enable", "filter": {"colour": "red"}},
        {"action": "enable", "iccids": [STRANGER], "params": {"label": "x"}},
        {"action": "label", "iccids": [STRANGER]},
        {"action": "tag", "iccids": [STRANGER], "params": {"tags": []}},
        {"action": "sms", "iccids": [STRANGER], "params": {"text": "x" * 19_000}},
        {"action": "sms", "iccids": [STRANGER], "params": {"text": "ż", "coding": "text"}},
        {"action": "sell", "iccids": [STRANGER]},
        {"action": "enable", "iccids": [STRANGER] * 10_001},
    ],
)
async def test_what_cannot_be_done_is_refused_as_a_whole(fleet: Fleet, body: dict[str, Any]) -> None:
    assert (await fleet.ours.operator.post("/sims/bulk", json=body)).status_code == 422
    assert (await fleet.ours.viewer.get("/jobs")).json()["total"] == 0


@pytest.mark.parametrize(
    ("action", "params", "field"),
    [
        ("label", {"label": 5}, "params.label"),
        ("label", {}, "params.label"),
        ("enable", {"label": "x"}, "params.label"),
        ("tag", {"tags": ["a", ""]}, "params.tags.1"),
        ("top_up", {"payment_method": "gold"}, "params.payment_method"),
        ("sms", {"text": "x", "send_at": "2020-01-01T00:00:00Z"}, "params.send_at"),
        ("sms", {"text": "x" * 19_000}, "params.text"),
    ],
)
async def test_what_is_wrong_is_named_as_it_was_sent(
    fleet: Fleet, action: str, params: dict[str, Any], field: str
) -> None:
    body = {"action": action, "iccids": [STRANGER], "params": params}
    error = (await fleet.ours.operator.post("/sims/bulk", json=body)).json()["error"]
    assert error["details"]["fields"][0]["field"] == field


async def test_only_operators_of_the_organisation_ask(fleet: Fleet) -> None:
    body = {"action": "enable", "iccids": [STRANGER]}
    assert (await fleet.ours.viewer.post("/sims/bulk", json=body)).status_code == 403
    other = body | {"organization_id": str(fleet.theirs.id)}
    assert (await fleet.ours.operator.post("/sims/bulk", json=other)).status_code == 404
    named = (await fleet.platform.post("/sims/bulk", json=other)).json()
    assert named["organization_id"] == str(fleet.theirs.id)


async def asked_for_volume(fleet: Fleet) -> bool:
    return bool(fleet.sandbox.called("/topup"))


async def test_volume_is_bought_once_for_each_sim_whatever_happens_to_the_worker(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(5)
    key = {"Idempotency-Key": str(uuid4())}
    body = {"action": "top_up", "iccids": [*ours, STRANGER], "params": PAID}
    job = (await fleet.ours.operator.post("/sims/bulk", json=body, headers=key)).json()
    assert (await fleet.ours.operator.post("/sims/bulk", json=body, headers=key)).json()["id"] == job["id"]
    fleet.sandbox.sandbox.faults.add(FaultRule(kind="delay", path="/v?/sims/topup", seconds=1.0, count=1))
    work = asyncio.create_task(fleet.runner().once())
    await eventually(lambda: asked_for_volume(fleet))
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await quiet(fleet)
    await run(fleet)
    await fleet.rows("UPDATE top_ups SET next_look_at = now() WHERE state = 'sent' RETURNING id")
    await look(fleet, times=3, give_up=0)
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "succeeded"
    bought = await agree(fleet)
    assert set(bought.values()) <= {1}
    states = {item["iccid"]: item["state"] for item in await items(fleet, job)}
    assert states == {iccid: "succeeded" if iccid in bought else "failed" for iccid in [*ours, STRANGER]}


async def test_a_purchase_in_doubt_is_unknown_until_it_was_looked_for(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    fleet.sandbox.sandbox.faults.add(FaultRule(kind="drop", path="/v?/sims/topup", when="after", count=1))
    job = await bulk(fleet, "top_up", ours, params=PAID)
    await run(fleet)
    assert [item["state"] for item in await items(fleet, job)] == ["unknown"] * 3
    await look(fleet, times=2)
    await run(fleet)
    assert [item["state"] for item in await items(fleet, job)] == ["succeeded"] * 3
    assert await agree(fleet) == dict.fromkeys(ours, 1)


async def test_messages_go_out_once_each(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    job = await bulk(fleet, "sms", [*ours, STRANGER], params={"text": "reboot"})
    await run(fleet)
    await work(fleet)
    await run(fleet)
    done = await job_of(fleet, job)
    assert (done["state"], done["result"]) == ("succeeded", {"succeeded": 3, "failed": 1})
    assert [[one.payload for one in at_carrier(fleet, iccid)] for iccid in ours] == [["reboot"]] * 3


async def test_a_message_whose_moment_passes_while_the_job_waits_goes_out_at_once(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    past, soon = "2020-01-01T00:00:00Z", (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    body = {"action": "sms", "iccids": ours, "params": {"text": "reboot", "send_at": past}}
    assert (await fleet.ours.operator.post("/sims/bulk", json=body)).status_code == 422
    job = await bulk(fleet, "sms", ours, params={"text": "reboot", "send_at": soon})
    overdue = "jsonb_set(params, '{params,send_at}', to_jsonb(CAST(:past AS text)))"
    await fleet.rows(f"UPDATE jobs SET params = {overdue} RETURNING id", past=past)
    await run(fleet)
    await work(fleet)
    await run(fleet)
    assert (await job_of(fleet, job))["result"] == {"succeeded": 2}
    assert [[one.payload for one in at_carrier(fleet, iccid)] for iccid in ours] == [["reboot"]] * 2


async def test_a_batch_that_was_interrupted_writes_no_message_twice(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)

    class Dies(SmsStep):
        async def begin(self, *args: Any, **options: Any) -> Any:
            outcome = await super().begin(*args, **options)
            if args[2] == ours[2]:
                raise asyncio.CancelledError
            return outcome

    job = await bulk(fleet, "sms", ours, params={"text": "once"})
    dying = BulkWork(lambda _: Dies(Draft(text="once"), most_parts=2), follow=60)
    with pytest.raises(asyncio.CancelledError):
        await JobRunner(fleet.sessions, {JobKind.BULK: dying.run}, lease=3).once()
    assert {item["state"] for item in await items(fleet, job)} == {"pending"}
    await run(fleet)
    messages = await fleet.rows("SELECT iccid FROM sms_messages ORDER BY iccid")
    assert [row.iccid for row in messages] == ours


async def test_an_ended_job_begins_nothing_more_and_follows_what_it_began(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    job = await bulk(fleet, "disable", ours[:2])
    await run(fleet)
    await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "running"
    await fleet.reconcile()
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "cancelled"
    assert {item["state"] for item in await items(fleet, job)} == {"succeeded"}


async def test_what_was_not_begun_is_not_bought_after_the_end(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)

    async def begun_only(held: Held) -> None:
        raise KeyError("stopped before anything")

    job = await bulk(fleet, "top_up", ours, params=PAID)
    await JobRunner(fleet.sessions, {JobKind.BULK: begun_only}, lease=3).once()
    await fleet.rows(
        "UPDATE job_items SET state = 'working', claimed_at = now() WHERE number = 1 RETURNING 1"
    )
    await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "cancelled"
    assert [item["state"] for item in await items(fleet, job)] == ["cancelled"] * 3
    assert (await theirs(fleet))["topups_by_iccid"] == {}


async def test_a_bulk_action_that_nobody_had_begun_ends_with_each_sim_cancelled(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    job = await bulk(fleet, "tag", ours, params={"tags": ["unwanted"]})
    ended = (await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")).json()
    assert (ended["state"], ended["cancel_requested_at"] is not None) == ("queued", True)
    await run(fleet)
    over = await job_of(fleet, job)
    assert (over["state"], over["result"]) == ("cancelled", {"cancelled": 2})
    assert [item["state"] for item in await items(fleet, job)] == ["cancelled"] * 2
    assert (await fleet.ours.viewer.get(f"/sims/{ours[0]}")).json()["tags"] == []


async def test_a_worker_that_fails_does_not_keep_an_ended_job_from_its_true_result(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)

    async def broken(held: Held) -> None:
        raise KeyError("broken")

    job = await bulk(fleet, "disable", ours)
    await run(fleet)
    await fleet.ours.operator.post(f"/jobs/{job['id']}/cancel")
    assert await JobRunner(fleet.sessions, {JobKind.BULK: broken}, lease=3).once()
    assert (await job_of(fleet, job))["finished_at"] is None
    await fleet.reconcile()
    await run(fleet)
    over = await job_of(fleet, job)
    assert (over["state"], over["result"]) == ("cancelled", {"succeeded": 2})


LONG_AGO = "now() - interval '3 hours'"


async def test_what_is_never_settled_stays_unknown_and_the_job_ends(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    job = await bulk(fleet, "disable", ours)
    await run(fleet)
    await fleet.rows(f"UPDATE job_items SET claimed_at = {LONG_AGO} RETURNING number")
    await run(fleet)
    assert (await job_of(fleet, job))["result"] == {"unknown": 2}
    assert (await job_of(fleet, job))["state"] == "succeeded"


async def test_a_job_goes_on_looking_as_long_as_sims_are_settled(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    job = await bulk(fleet, "disable", ours)
    await run(fleet)
    await fleet.rows(f"UPDATE job_items SET claimed_at = {LONG_AGO} RETURNING number")
    assert await fleet.reconciler().once()
    await run(fleet)
    waiting = await job_of(fleet, job)
    assert (waiting["state"], waiting["result"]) == ("running", {"working": 2, "succeeded": 1})
    await fleet.reconcile()
    await run(fleet)
    assert (await job_of(fleet, job))["result"] == {"succeeded": 3}


async def test_progress_moves_with_each_batch_and_nothing_counts_all_sims(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(250)
    job = await bulk(fleet, "label", [*ours, STRANGER], params={"label": "another"})
    assert (job["done"], job["result"]) == (0, {"pending": 251})
    with queries(fleet.app.state.resources.engine) as asked:
        assert await fleet.runner().once()
    assert not [one for one in asked if "job_items" in one and "count(" in one]
    waiting = await job_of(fleet, job)
    assert (waiting["done"], waiting["result"]) == (1, {"working": 250, "failed": 1})


async def test_jobs_of_one_organisation_follow_each_other_and_hold_up_nobody(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(2)
    first = await bulk(fleet, "tag", ours, params={"tags": ["a"]})
    await bulk(fleet, "untag", ours, params={"tags": ["a"]})
    other = (
        await fleet.theirs.operator.post("/sims/bulk", json={"action": "enable", "iccids": [STRANGER]})
    ).json()
    seen: list[str] = []

    async def note(held: Held) -> None:
        seen.append(str(held.id))
        if len(seen) == 1:
            assert await runner.once()
            assert not await runner.once(), "the second of ours waits for the first"

    runner = JobRunner(fleet.sessions, {JobKind.BULK: note}, lease=3)
    assert await runner.once()
    assert seen == [first["id"], other["id"]]
