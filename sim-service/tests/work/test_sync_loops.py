"""Syncs of the whole account: whoever asks for them in a loop gets the same one."""

import pytest

from ..support import Fleet


async def worked(fleet: Fleet) -> None:
    while await fleet.runner().once():
        pass


@pytest.mark.parametrize("path", ["/sims/sync-all", "/orders/sync", "/support-tickets/sync"])
async def test_a_loop_of_syncs_makes_one_job(fleet: Fleet, path: str) -> None:
    """They are the account's, so no limit of an organisation counts them; also not through POST /jobs."""
    await fleet.withdraw_grant(fleet.theirs)
    fleet.app.state.settings = fleet.settings.model_copy(update={"sync_min_seconds": 3600})
    first = (await fleet.theirs.operator.post(path)).json()
    kind = {"kind": first["kind"]}
    for _ in range(2):
        await worked(fleet)
        again = await fleet.theirs.operator.post(path)
        assert (again.status_code, again.json()["id"]) == (202, first["id"])
        assert again.headers["Location"] == f"/api/v1/jobs/{first['id']}"
        assert (await fleet.ours.operator.post("/jobs", json=kind)).json()["id"] == first["id"]
    assert (await fleet.platform.post(path)).json()["id"] != first["id"], "an administrator need not wait"
    await worked(fleet)
    await fleet.rows("UPDATE jobs SET finished_at = now() - interval '61 minutes' RETURNING id")
    assert (await fleet.theirs.operator.post(path)).json()["state"] == "queued"
