"""Cleanup: what is old goes, what is needed stays."""

from uuid import uuid4

from sim_service.work.jobs.models import JobKind

from ..billing.policy_support import policy_of
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
    await fleet.sync()
    body = {"action": "tag", "iccids": ["8988280666000099999"], "params": {"tags": ["x"]}}
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
    for age in ("8 days", "1 day"):
        await fleet.rows(
            "INSERT INTO t_idempotency_keys (owner, key, fingerprint, created_at) "
            f"VALUES ('us', :key, '', now() - interval '{age}') RETURNING key",
            key=str(uuid4()),
        )
    assert (await cleaned(fleet))["idempotency_keys"] == 1
    none = dict.fromkeys(
        ("jobs", "idempotency_keys", "policy_decisions", "sim_actions", "sms_messages", "sim_events"), 0
    )
    assert await cleaned(fleet) == none
    assert len(await fleet.rows("SELECT key FROM t_idempotency_keys")) == 1


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


async def test_only_the_platform_administrator_cleans_up(fleet: Fleet) -> None:
    assert (await fleet.ours.admin.post("/jobs", json={"kind": "cleanup"})).status_code == 403
