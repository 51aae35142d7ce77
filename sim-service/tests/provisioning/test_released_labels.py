"""What an organisation called a SIM stays its own once it gave the SIM back, whatever the carrier shows."""

from typing import Any

from ..support import Fleet, Organization

SECRET = "vault of customer 7"


async def given_back(fleet: Fleet, label: str = SECRET) -> str:
    """A SIM that had a label here and at the carrier, and was released."""
    (iccid,) = await fleet.owned_sims(1)
    await relabel(fleet, iccid, label)
    await fleet.reconcile()
    assert fleet.sandbox.sims()[0].label == label
    await release(fleet, iccid)
    return iccid


async def release(fleet: Fleet, iccid: str) -> None:
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204


async def relabel(fleet: Fleet, iccid: str, label: str, *, by: Organization | None = None) -> int:
    answer = await (by or fleet.ours).operator.patch(f"/sims/{iccid}", json={"label": label})
    return answer.status_code


async def shown(fleet: Fleet, iccid: str) -> dict[str, Any]:
    sim: dict[str, Any] = (await fleet.theirs.viewer.get(f"/sims/{iccid}")).json()
    return sim


async def test_the_next_owner_never_reads_the_label_of_the_one_before(fleet: Fleet) -> None:
    iccid = await given_back(fleet)
    await fleet.sync()
    free = (await fleet.platform.get("/sims", params={"claimed": False, "search": "vault"})).json()
    assert free["items"] == [], "not by searching either"
    await fleet.forget_events()
    await fleet.claim(iccid, by=fleet.theirs)
    await fleet.sync()
    await fleet.theirs.operator.post(f"/sims/{iccid}/sync")
    assert (await shown(fleet, iccid))["label"] is None
    found = (await fleet.theirs.viewer.get("/sims", params={"search": "vault"})).json()
    assert found["items"] == []
    events = await fleet.events("sim.updated")
    assert {event["data"].get("label") for event in events} == {None}
    (kept,) = (await fleet.ours.viewer.get("/sims/releases")).json()["items"]
    assert kept["label"] == SECRET


async def test_a_label_under_way_when_the_sim_was_released_is_not_read_either(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    await relabel(fleet, iccid, "vault 1")
    await relabel(fleet, iccid, "vault 2")
    await release(fleet, iccid)
    await fleet.claim(iccid, by=fleet.theirs)
    for late in ("vault 1", "vault 2"):
        fleet.sandbox.sims()[0].label = late
        await fleet.sync()
        assert (await shown(fleet, iccid))["label"] is None


async def test_the_next_owner_gives_the_sim_a_label_even_the_same(fleet: Fleet) -> None:
    iccid = await given_back(fleet)
    await fleet.claim(iccid, by=fleet.theirs)
    for label in ("pump", SECRET):
        assert await relabel(fleet, iccid, label, by=fleet.theirs) == 202
        await fleet.reconcile()
        assert (await shown(fleet, iccid))["label"] == fleet.sandbox.sims()[0].label == label
    assert await relabel(fleet, iccid, SECRET, by=fleet.theirs) == 200


async def test_the_next_owner_clears_the_label_at_the_carrier_unseen(fleet: Fleet) -> None:
    iccid = await given_back(fleet)
    await fleet.claim(iccid, by=fleet.theirs)
    assert await relabel(fleet, iccid, "", by=fleet.theirs) == 202
    await fleet.reconcile()
    assert fleet.sandbox.sims()[0].label == ""
    assert await relabel(fleet, iccid, "", by=fleet.theirs) == 200, "it is known to be so by now"


async def test_asking_for_labels_that_the_carrier_never_gets_shows_nothing(fleet: Fleet) -> None:
    """Neither who guesses the label nor who asks for very many learns it, nor whoever has the SIM then."""
    iccid = await given_back(fleet)
    await fleet.claim(iccid, by=fleet.theirs)
    for guess in (*(f"guess {number}" for number in range(25)), SECRET, "another"):
        assert await relabel(fleet, iccid, guess, by=fleet.theirs) == 202
    await fleet.sync()
    assert (await shown(fleet, iccid))["label"] is None
    assert (await fleet.theirs.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    await fleet.sync()
    assert fleet.sandbox.sims()[0].label == SECRET
    assert (await shown(fleet, iccid))["label"] is None


async def test_an_import_gives_the_same_label_again(fleet: Fleet) -> None:
    iccid = await given_back(fleet)
    await fleet.claim(iccid, by=fleet.theirs)
    file = {"file": ("sims.csv", f"iccid,label\n{iccid},{SECRET}\n".encode(), "text/csv")}
    answer = await fleet.theirs.operator.post("/sims/import", files=file)
    assert answer.status_code in {200, 202}, answer.text
    while await fleet.runner().once():
        pass
    await fleet.reconcile()
    assert (await shown(fleet, iccid))["label"] == SECRET
