"""Grants: set by the platform administrator, read by their organisation, off for everybody else."""

from typing import Any
from uuid import uuid4

import pytest

from ..support import Fleet

OFF = dict.fromkeys(("orders", "top_ups", "extensions", "sms", "tickets", "resets"), False)


async def test_an_organisation_has_nothing_until_it_is_granted(fleet: Fleet) -> None:
    await fleet.withdraw_grant(fleet.ours)
    path = f"/sim/grants/{fleet.ours.id}"
    none = (await fleet.ours.admin.get(path)).json()
    assert none == OFF | {
        "organization_id": str(fleet.ours.id),
        "budget_per_month": "0.00",
        "currency": "EUR",
        "order_approval_above": None,
        "sms_per_month": 0,
        "changed_by": None,
        "changed_at": None,
    }
    body = {"budget_per_month": "250.5", "orders": True, "order_approval_above": "100"}
    put = await fleet.platform.put(path, json=body)
    assert put.status_code == 200, put.text
    granted = (await fleet.ours.admin.get(path)).json()
    assert granted == put.json()
    assert (granted["budget_per_month"], granted["order_approval_above"]) == ("250.50", "100.00")
    assert {name: granted[name] for name in OFF} == OFF | {"orders": True}
    replaced = (await fleet.platform.put(path, json={"sms": True})).json()
    assert {name: replaced[name] for name in OFF} == OFF | {"sms": True}
    assert (replaced["budget_per_month"], replaced["order_approval_above"]) == ("0.00", None)
    listed = (await fleet.platform.get("/sim/grants")).json()
    assert {row["organization_id"] for row in listed["items"]} == {str(fleet.ours.id), str(fleet.theirs.id)}


async def test_only_the_platform_administrator_grants(fleet: Fleet) -> None:
    path = f"/sim/grants/{fleet.ours.id}"
    await fleet.withdraw_grant(fleet.ours)
    for person in (fleet.ours.viewer, fleet.ours.operator, fleet.ours.admin, fleet.theirs.admin):
        assert (await person.put(path, json={"orders": True})).status_code == 403
        assert (await person.get("/sim/grants")).status_code == 403
    for below in ("", "/budget"):
        assert (await fleet.ours.operator.get(path + below)).status_code == 403
        assert (await fleet.theirs.admin.get(path + below)).status_code == 404
        assert (await fleet.anyone.get(path + below)).status_code == 401
        assert (await fleet.platform.get(path + below)).status_code == 200
    assert (await fleet.anyone.put(path, json={"orders": True})).status_code == 401
    assert (await fleet.ours.admin.get(path)).json()["orders"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget_per_month": "-1"},
        {"budget_per_month": "1.001"},
        {"budget_per_month": "1e30"},
        {"budget_per_month": "NaN"},
        {"currency": "euro"},
        {"order_approval_above": "-0.01"},
        {"orders": "perhaps"},
        {"sms_per_month": -1},
        {"sms_per_month": None},
        {"everything": True},
    ],
)
async def test_a_malformed_grant_is_refused(fleet: Fleet, wrong: dict[str, Any]) -> None:
    answer = await fleet.platform.put(f"/sim/grants/{uuid4()}", json=wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_FAILED")
