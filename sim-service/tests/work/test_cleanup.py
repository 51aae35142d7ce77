"""Cleanup: what is old goes, what is needed stays."""

from uuid import uuid4

from sim_service.work.jobs.models import JobKind

from ..billing.policy_support import policy_of
from ..provisioning.test_imports import send
from ..support import Fleet


async def cleaned(fleet: Fleet) -> dict[str, int]:
    """The result of a cleanup job that the platform administrator runs now."""
    asked = await fleet.platform.post("/jobs", json={"kind": "cleanup"})
    assert asked.status_code == 202, asked.text
    while await fleet.runner().once():
        pass
    job = (await fleet.platform.get(f"/jobs/{asked.json()['id']}")).json()
    assert (job["state"], job["progress"]) == ("succeeded", 1.0)
    result: dict[str, int] = job["result"]
    return result


async def test_old_jobs_go_with_their_items_and_the_last_success_stays(fleet: Fleet) -> None:
    await fleet.sync()
    ours = await fleet.owned_sims(1)
    body = {"action": "tag", "iccids": ours, "params": {"tags": ["x"]}}
    await fleet.ours.operator.post("/sims/bulk", json=body)
    while await fleet.runner().once():
        pass
    await fleet.rows("UPDATE jobs SET finished_at = now() - interval '91 days' RETURNING 1")
    syncs = await fleet.rows("SELECT id FROM jobs WHERE kind = 'sync_sims' ORDER BY started_at")
    assert (await cleaned(fleet))["jobs"] == 2
    left = await fleet.rows("SELECT id, kind FROM jobs ORDER BY id")
    assert [row.id for row in left if row.kind == JobKind.SYNC_SIMS] == [syncs[-1].id]
    assert [row.kind for row in left].count("bulk") == 0
    assert (await fleet.rows("SELECT count(*) AS n FROM job_items"))[0].n == 0


async def test_old_keys_and_events_go_and_young_ones_stay(fleet: Fleet) -> None:
    for age in ("25 hours", "23 hours"):
        await fleet.rows(
            "INSERT INTO t_idempotency_keys (owner, key, fingerprint, created_at) "
            f"VALUES ('us', :key, '', now() - interval '{age}') RETURNING key",
            key=str(uuid4()),
        )
    assert (await cleaned(fleet))["idempotency_keys"] == 1
    rules = ("jobs", "idempotency_keys", "policy_decisions", "sim_actions", "sms_messages", "sim_events")
    billing = ("policy_proposals", "failed_top_ups", "failed_orders", "deleted_policies")
    none = dict.fromkeys((*rules, *billing, "claim_codes", "deleted_devices", "import_files"), 0)
    assert await cleaned(fleet) == none
    assert len(await fleet.rows("SELECT key FROM t_idempotency_keys")) == 1


async def test_the_file_of_an_import_goes_once_its_job_is_over(fleet: Fleet) -> None:
    """Of a job that was cancelled, nobody reads it any more; it may have 32 MiB."""
    fleet.app.state.settings = fleet.settings.model_copy(update={"import_request_rows": 1})
    jobs = [
        (await send(fleet, "iccid\n8988280666999999999\n8988280666999999998\n", by=by)).json()["id"]
        for by in (fleet.ours.admin, fleet.theirs.admin)
    ]
    assert (await fleet.ours.operator.post(f"/jobs/{jobs[0]}/cancel")).json()["state"] == "cancelled"
    await fleet.rows("UPDATE jobs SET due_at = now() + interval '1 hour' WHERE state = 'queued' RETURNING 1")
    assert (await cleaned(fleet))["import_files"] == 1
    kept = await fleet.rows("SELECT job_id FROM sim_imports WHERE content IS NOT NULL")
    assert [str(row.job_id) for row in kept] == jobs[1:], "that one waits"


async def test_old_changes_and_messages_go_and_what_is_open_stays(fleet: Fleet) -> None:
    first, second = await fleet.owned_sims(2)
    for iccid in (first, second):
        await fleet.ours.operator.patch(f"/sims/{iccid}", json={"status": "disabled"})
        if iccid == first:
            await fleet.reconcile()
        await fleet.ours.operator.post(f"/sims/{iccid}/sms", json={"text": "hello"})
    await fleet.rows("UPDATE sms_messages SET final_at = now() WHERE iccid = :iccid RETURNING 1", iccid=first)
    await fleet.rows("UPDATE sms_messages SET at = now() - interval '401 days' RETURNING 1")
    await fleet.rows("UPDATE sim_actions SET finished_at = finished_at - interval '401 days' RETURNING 1")
    gone = await cleaned(fleet)
    assert (gone["sim_actions"], gone["sms_messages"]) == (1, 1)
    (limit,) = (await fleet.platform.get(f"/sims/sms/limits/{fleet.ours.id}")).json()
    assert limit == {"name": "sms_messages", "used": 1, "maximum": 1_000_000, "default": 1_000_000}
    for table in ("sim_actions", "sms_messages", "sms_parts"):
        assert [row.iccid for row in await fleet.rows(f"SELECT iccid FROM {table}")] == [second]


async def test_old_decisions_of_policies_go_and_young_ones_stay(fleet: Fleet) -> None:
    policy = await policy_of(fleet)
    for age in (400, 402):
        await fleet.rows(
            "INSERT INTO policy_decisions "
            "(id, organization_id, policy_id, iccid, day, decision, reason, facts, times) "
            "SELECT gen_random_uuid(), organization_id, id, '1', now() - make_interval(days => :age), "
            "'skipped', 'budget', '{}', 1 FROM topup_policies RETURNING 1",
            age=age,
        )
    assert (await cleaned(fleet))["policy_decisions"] == 1
    listed = (await fleet.ours.viewer.get(f"/topup-policies/{policy['id']}/decisions")).json()
    assert len(listed["items"]) == 1


async def test_purchases_that_failed_long_ago_go_and_what_cost_money_stays(fleet: Fleet) -> None:
    for age in (399, 401):
        for state in ("failed", "booked"):
            await fleet.rows(
                "INSERT INTO top_ups (id, organization_id, iccid, kind, payment_method, amount, currency,"
                " estimated, state, looks, next_look_at, created_at, settled_at)"
                " SELECT gen_random_uuid(), gen_random_uuid(), '1', 'top_up', 'x', 1, 'EUR', true,"
                " :state, 0, now(), at, at FROM (SELECT now() - make_interval(days => :age) AS at) AS t"
                " RETURNING 1",
                state=state,
                age=age,
            )
            await fleet.rows(
                "INSERT INTO order_requests (id, organization_id, products, lines, customer_reference,"
                " requested_by, state, looks, next_look_at, settled_at)"
                " VALUES (gen_random_uuid(), gen_random_uuid(), '[]', '', '', gen_random_uuid(), :state, 0,"
                " now(), now() - make_interval(days => :age)) RETURNING 1",
                state=state,
                age=age,
            )
    gone = await cleaned(fleet)
    assert (gone["failed_top_ups"], gone["failed_orders"]) == (1, 1)
    for table in ("top_ups", "order_requests"):
        assert len(await fleet.rows(f"SELECT 1 FROM {table}")) == 3


async def test_devices_deleted_long_ago_and_proposals_decided_long_ago_go(fleet: Fleet) -> None:
    await policy_of(fleet)
    for moment in ("now() - interval '89 days'", "now() - interval '401 days'", "NULL::timestamptz"):
        await fleet.rows(
            "INSERT INTO device_facts (id, organization_id, name, version, deleted_at)"
            f" VALUES (gen_random_uuid(), gen_random_uuid(), '', 1, {moment}) RETURNING 1"
        )
        await fleet.rows(
            "INSERT INTO policy_proposals (id, organization_id, policy_id, state, iccids, amount, currency,"
            " decided_at) SELECT gen_random_uuid(), organization_id, id,"
            f" CASE WHEN {moment} IS NULL THEN 'pending' ELSE 'approved' END, '{{}}', 1, 'EUR', {moment}"
            " FROM topup_policies RETURNING 1"
        )
    gone = await cleaned(fleet)
    assert (gone["deleted_devices"], gone["policy_proposals"]) == (1, 1)
    for table in ("device_facts", "policy_proposals"):
        assert len(await fleet.rows(f"SELECT 1 FROM {table}")) == 2


async def test_only_the_platform_administrator_cleans_up(fleet: Fleet) -> None:
    assert (await fleet.ours.admin.post("/jobs", json={"kind": "cleanup"})).status_code == 403
