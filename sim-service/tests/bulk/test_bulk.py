"""One action for many SIMs: a result for each, nothing twice, only one's own."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from fleet_kit.testing import eventually
from once_sandbox.faults.schemas import FaultRule
from sim_service.bulk.jobs import BulkJobs
from sim_service.bulk.paid_steps import SmsStep
from sim_service.messages.sms.service import Draft
from sim_service.work.jobs.models import JobKind
from sim_service.work.jobs.runner import JobRunner

from ..billing_support import agreed_ledgers, carrier_idle, poll_top_ups
from ..sms_support import at_carrier, run_all_due
from ..support import Fleet
from .bulk_support import PAID, STRANGER, bulk, items, job_of, release, run


async def test_sims_are_switched_off_with_a_result_for_each(fleet: Fleet) -> None:
    *ours, gone = await fleet.owned_sims(5)
    job = await bulk(fleet, "disable", [*ours, gone])
    assert (job["kind"], job["total"], job["params"]["action"]) == ("bulk", 5, "disable")
    await release(fleet, gone)
    await run(fleet)
    waiting = await job_of(fleet, job)
    assert (waiting["state"], waiting["done"], waiting["result"]) == (
        "running",
        1,
        {"working": 4, "failed": 1},
    )
    await fleet.reconcile()
    await run(fleet)
    done = await job_of(fleet, job)
    assert (done["state"], done["done"], done["progress"]) == ("succeeded", 5, 1.0)
    assert done["result"] == {"succeeded": 4, "failed": 1}
    found = await items(fleet, job)
    assert [item["iccid"] for item in found] == [*ours, gone]
    assert [item["error_code"] for item in found] == [None] * 4 + ["SIM_NOT_FOUND"]
    assert not any(sim.enabled for sim in fleet.sandbox.sims()[:4])
    assert fleet.sandbox.sims()[4].enabled
    again = await bulk(fleet, "disable", ours)
    await run(fleet)
    assert [item["result"] for item in await items(fleet, again)] == [{"changed": False}] * 4


async def test_items_are_paged_filtered_and_only_the_owners(fleet: Fleet) -> None:
    *ours, gone = await fleet.owned_sims(6)
    job = await bulk(fleet, "tag", [*ours, gone], params={"tags": ["winter"]})
    await release(fleet, gone)
    await run(fleet)
    path = f"/jobs/{job['id']}/items"
    first = (await fleet.ours.viewer.get(path, params={"page_size": 4})).json()
    rest = (await fleet.ours.viewer.get(path, params={"page_size": 4, "cursor": first["next_cursor"]})).json()
    assert [item["number"] for item in first["items"] + rest["items"]] == [1, 2, 3, 4, 5, 6]
    assert (first["total"], rest["next_cursor"]) == (6, None)
    assert [item["iccid"] for item in await items(fleet, job, state="failed")] == [gone]
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
    await fleet.sync()
    iccid = fleet.sandbox.sims()[0].iccid
    await fleet.claim(iccid, by=fleet.theirs)
    body = {"action": "enable", "iccids": [iccid]}
    assert (await fleet.ours.viewer.post("/sims/bulk", json=body)).status_code == 403
    other = body | {"organization_id": str(fleet.theirs.id)}
    assert (await fleet.ours.operator.post("/sims/bulk", json=other)).status_code == 404
    named = (await fleet.platform.post("/sims/bulk", json=other)).json()
    assert named["organization_id"] == str(fleet.theirs.id)


async def asked_for_volume(fleet: Fleet) -> bool:
    return bool(fleet.sandbox.called("/topup"))


async def test_volume_is_bought_once_for_each_sim_whatever_happens_to_the_worker(fleet: Fleet) -> None:
    *ours, gone = await fleet.owned_sims(6)
    key = {"Idempotency-Key": str(uuid4())}
    body = {"action": "top_up", "iccids": [*ours, gone], "params": PAID}
    job = (await fleet.ours.operator.post("/sims/bulk", json=body, headers=key)).json()
    assert (await fleet.ours.operator.post("/sims/bulk", json=body, headers=key)).json()["id"] == job["id"]
    await release(fleet, gone)
    fleet.sandbox.sandbox.faults.add(FaultRule(kind="delay", path="/v?/sims/topup", seconds=1.0, count=1))
    work = asyncio.create_task(fleet.runner().once())
    await eventually(lambda: asked_for_volume(fleet))
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    await carrier_idle(fleet)
    await run(fleet)
    await fleet.rows("UPDATE top_ups SET next_look_at = now() WHERE state = 'sent' RETURNING id")
    await poll_top_ups(fleet, times=3, give_up=0)
    await run(fleet)
    assert (await job_of(fleet, job))["state"] == "succeeded"
    bought = await agreed_ledgers(fleet)
    assert set(bought.values()) <= {1}
    states = {item["iccid"]: item["state"] for item in await items(fleet, job)}
    assert states == {iccid: "succeeded" if iccid in bought else "failed" for iccid in [*ours, gone]}


async def test_a_purchase_in_doubt_is_unknown_until_it_was_looked_for(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)
    fleet.sandbox.sandbox.faults.add(FaultRule(kind="drop", path="/v?/sims/topup", when="after", count=1))
    job = await bulk(fleet, "top_up", ours, params=PAID)
    await run(fleet)
    assert [item["state"] for item in await items(fleet, job)] == ["unknown"] * 3
    await poll_top_ups(fleet, times=2)
    await run(fleet)
    assert [item["state"] for item in await items(fleet, job)] == ["succeeded"] * 3
    assert await agreed_ledgers(fleet) == dict.fromkeys(ours, 1)


async def test_messages_go_out_once_each(fleet: Fleet) -> None:
    *ours, gone = await fleet.owned_sims(4)
    job = await bulk(fleet, "sms", [*ours, gone], params={"text": "reboot"})
    await release(fleet, gone)
    await run(fleet)
    await run_all_due(fleet)
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
    await run_all_due(fleet)
    await run(fleet)
    assert (await job_of(fleet, job))["result"] == {"succeeded": 2}
    assert [[one.payload for one in at_carrier(fleet, iccid)] for iccid in ours] == [["reboot"]] * 2


async def test_a_batch_that_was_interrupted_writes_no_message_twice(fleet: Fleet) -> None:
    ours = await fleet.owned_sims(3)

    class Dies(SmsStep):
        async def start(self, *args: Any, **options: Any) -> Any:
            outcome = await super().start(*args, **options)
            if args[2] == ours[2]:
                raise asyncio.CancelledError
            return outcome

    job = await bulk(fleet, "sms", ours, params={"text": "once"})
    dying = BulkJobs(lambda _: Dies(Draft(text="once"), most_parts=2, most_kept=10), follow=60)
    with pytest.raises(asyncio.CancelledError):
        await JobRunner(fleet.sessions, {JobKind.BULK: dying.run}, lease_seconds=3).once()
    assert {item["state"] for item in await items(fleet, job)} == {"pending"}
    await run(fleet)
    messages = await fleet.rows("SELECT iccid FROM sms_messages ORDER BY iccid")
    assert [row.iccid for row in messages] == ours
