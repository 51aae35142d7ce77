"""How many policies an organisation may have."""

from ..support import Fleet
from .policy_support import evaluate, policy_of

BODY = {"name": "one more", "trigger": {"remaining_below_percent": 20}, "budget_per_month": "100"}


async def left(fleet: Fleet) -> int:
    """Policies that are stored, in use or not."""
    return int((await fleet.rows("SELECT count(*) AS n FROM topup_policies"))[0].n)


async def test_one_policy_too_many_is_refused_until_one_goes_or_more_are_allowed(fleet: Fleet) -> None:
    path = f"/topup-policies/limits/{fleet.ours.id}"
    assert (await fleet.platform.put(f"{path}/policies", json={"maximum": 2})).status_code == 200
    first, _ = [await policy_of(fleet) for _ in range(2)]
    refused = await fleet.ours.operator.post("/topup-policies", json=BODY)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "LIMIT_REACHED")
    assert (await fleet.theirs.operator.post("/topup-policies", json=BODY)).status_code == 201
    assert (await fleet.ours.operator.delete(f"/topup-policies/{first['id']}")).status_code == 204
    await policy_of(fleet)
    assert (await fleet.platform.get(path)).json() == [
        {"name": "policies", "used": 2, "maximum": 2, "default": 1000}
    ]
    await fleet.platform.put(f"{path}/policies", json={"maximum": None})
    await policy_of(fleet)
    assert (await fleet.ours.admin.put(f"{path}/policies", json={"maximum": 9})).status_code == 403


async def test_a_policy_that_is_refused_is_not_counted(fleet: Fleet) -> None:
    wrong = BODY | {"selector": {"by": "iccids", "iccids": ["8988280666000000000"]}}
    assert (await fleet.ours.operator.post("/topup-policies", json=wrong)).status_code == 404
    (limit,) = (await fleet.platform.get(f"/topup-policies/limits/{fleet.ours.id}")).json()
    assert limit["used"] == 0


async def test_making_and_deleting_policies_in_a_loop_leaves_none(fleet: Fleet) -> None:
    for _ in range(3):
        policy = await policy_of(fleet)
        assert (await fleet.ours.operator.delete(f"/topup-policies/{policy['id']}")).status_code == 204
    assert await left(fleet) == 0


async def test_a_policy_deleted_long_ago_is_forgotten(fleet: Fleet) -> None:
    old, kept = [await policy_of(fleet) for _ in range(2)]
    for policy in (old, kept):
        await evaluate(fleet, policy)
    await fleet.ours.operator.delete(f"/topup-policies/{old['id']}")
    assert await left(fleet) == 2
    await fleet.rows("UPDATE topup_policies SET deleted_at = deleted_at - interval '401 days' RETURNING id")
    assert (await fleet.platform.post("/jobs", json={"kind": "cleanup"})).status_code == 202
    while await fleet.runner().once():
        pass
    (page,) = (await fleet.ours.viewer.get("/topup-policies")).json()["items"]
    assert (page["id"], await left(fleet)) == (kept["id"], 1)
