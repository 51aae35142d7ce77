"""Purchases of a SIM's previous owner: none of its next owner's business, and seldom in the way."""

import pytest

from ..billing_support import carrier_ledger, top_up
from ..support import Fleet
from .policy_support import decided, evaluate, leave, policy_of


async def taken_over(fleet: Fleet) -> str:
    """A SIM of ours for which its previous owner has ordered a top-up, and not paid it."""
    (iccid,) = await fleet.owned_sims(1)
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid, by=fleet.theirs)
    await fleet.grant(fleet.theirs)
    bought = await fleet.theirs.operator.post(
        f"/sims/{iccid}/topup",
        json={"payment_method": "bank_transfer"},
        headers={"Idempotency-Key": "theirs"},
    )
    assert bought.json()["state"] == "ordered", bought.text
    assert (await fleet.theirs.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    await fleet.claim(iccid)
    return iccid


async def unsettle(fleet: Fleet, state: str) -> None:
    await fleet.rows("UPDATE top_ups SET state = :state, order_number = NULL RETURNING id", state=state)


async def test_what_a_previous_owner_has_ordered_is_not_in_the_way(fleet: Fleet) -> None:
    iccid = await taken_over(fleet)
    ours = await top_up(fleet, iccid)
    assert (ours.status_code, ours.json()["state"]) == (202, "ordered"), ours.text
    assert (await carrier_ledger(fleet))["topups_by_iccid"] == {iccid: 2}
    second = await top_up(fleet, iccid)
    assert second.json()["error"]["details"] == {
        "iccid": iccid,
        "id": ours.json()["id"],
        "state": "ordered",
    }, "our own is"


@pytest.mark.parametrize("state", ["requested", "sent", "unknown"])
async def test_what_a_previous_owner_asks_for_just_now_is_in_the_way_and_not_told(
    fleet: Fleet, state: str
) -> None:
    iccid = await taken_over(fleet)
    await unsettle(fleet, state)
    refused = await top_up(fleet, iccid, even_if_ordered=True)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "TOPUP_IN_PROGRESS")
    assert refused.json()["error"]["details"] == {"iccid": iccid}
    assert (await carrier_ledger(fleet))["topups_by_iccid"] == {iccid: 1}


@pytest.mark.parametrize(
    ("state", "decision"), [("ordered", ("topped_up", "remaining")), ("unknown", ("skipped", "in_progress"))]
)
async def test_policies_wait_for_a_previous_owner_only_while_the_carrier_is_asked(
    fleet: Fleet, state: str, decision: tuple[str, str]
) -> None:
    iccid = await taken_over(fleet)
    if state != "ordered":
        await unsettle(fleet, state)
    leave(fleet, 0.1, 0)
    policy = await policy_of(fleet)
    await evaluate(fleet, policy)
    assert await decided(fleet, policy) == {(iccid, *decision)}
