"""Claims: only with a proof, and one answer for everything that cannot be claimed."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx

from ..billing_support import pass_time
from ..support import Fleet, Organization

UNKNOWN = "8988280666999999999"


async def claim(by: Organization, **body: Any) -> httpx.Response:
    return await by.admin.post("/sims/claim", json=body)


async def issue(fleet: Fleet, iccids: Sequence[str], **more: Any) -> dict[str, Any]:
    answer = await fleet.platform.post("/sims/claim-codes", json={"iccids": list(iccids)} | more)
    assert answer.status_code == 201, answer.text
    code: dict[str, Any] = answer.json()
    return code


async def ordered_sims(fleet: Fleet, by: Organization, quantity: int = 2) -> list[str]:
    """SIMs that came with an order of the organisation, as far as both lists have been synced."""
    await fleet.sync()
    headers = {"Idempotency-Key": str(uuid4())}
    body = {"products": [{"product_id": 1001, "quantity": quantity}]}
    request = (await by.admin.post("/orders", json=body, headers=headers)).json()
    await pass_time(fleet, 20)
    await fleet.platform.post("/orders/sync")
    await fleet.sync()
    order = (await by.viewer.get(f"/orders/{request['order_number']}")).json()
    assert len(order["iccids"]) == quantity
    return list(order["iccids"])


async def owners(fleet: Fleet) -> int:
    (row,) = await fleet.rows("SELECT count(*) AS n FROM sims WHERE organization_id IS NOT NULL")
    return int(row.n)


def refused(answer: httpx.Response) -> tuple[Any, ...]:
    """All of an answer that could tell one reason from another."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"], str(error["details"])


async def test_free_taken_and_unknown_sims_get_one_answer(fleet: Fleet) -> None:
    await fleet.sync()
    free, taken, own = (sim.iccid for sim in fleet.sandbox.sims()[:3])
    await fleet.claim(taken, by=fleet.theirs)
    await fleet.claim(own)
    lists = ([free], [taken], [UNKNOWN], [free, taken], [own, free], [own, taken], [own, UNKNOWN])
    answers = [await claim(fleet.ours, iccids=iccids) for iccids in lists]
    answers.append(await claim(fleet.ours, code="ABCDE-FGHJK-LMNPQ-RSTUV-WXYZ2-34567"))
    assert len({refused(answer) for answer in answers}) == 1
    assert refused(answers[0])[:2] == (404, "CLAIM_REFUSED")
    assert not any(iccid in answers[-2].text for iccid in (free, taken, own, UNKNOWN))
    assert await owners(fleet) == 2


async def test_nobody_gets_a_sim_by_trying_numbers(fleet: Fleet) -> None:
    """A thousand ICCIDs in a row, each way that takes them."""
    await fleet.sync()
    first = int(fleet.sandbox.sims()[0].iccid)
    tried = [str(first + number) for number in range(1000)]
    assert set(tried) >= {sim.iccid for sim in fleet.sandbox.sims()[:100]}
    assert refused(await claim(fleet.ours, iccids=tried))[1] == "CLAIM_REFUSED"
    answers = await asyncio.gather(*(claim(fleet.ours, iccids=[iccid]) for iccid in tried[:20]))
    assert {answer.status_code for answer in answers} == {404}
    file = {"file": ("sims.csv", ("iccid\n" + "\n".join(tried)).encode())}
    report = (await fleet.ours.admin.post("/sims/import?partial=true", files=file)).json()
    assert (report["good"], report["claimed"], report["bad"]) == (0, 0, 1000)
    assert {problem["reason"] for problem in report["problems"]} == {"no such SIM"}
    body = {"action": "tag", "iccids": tried, "params": {"tags": ["mine"]}}
    assert refused(await fleet.ours.operator.post("/sims/bulk", json=body))[0] == 404
    for iccid in tried[:5]:
        await fleet.device(iccid=iccid)
        assert (await fleet.ours.operator.post(f"/sims/{iccid}/sync")).status_code == 404
    assert await owners(fleet) == 0
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 0


async def test_an_organisation_claims_the_sims_that_it_ordered(fleet: Fleet) -> None:
    first, second = await ordered_sims(fleet, fleet.ours)
    stranger = await claim(fleet.theirs, iccids=[first])
    assert refused(stranger)[:2] == (404, "CLAIM_REFUSED")
    answer = await claim(fleet.ours, iccids=[first])
    assert answer.json() == {
        "organization_id": str(fleet.ours.id), "claimed": [first], "already_owned": []
    }  # fmt: skip
    file = {"file": ("sims.csv", f"iccid,tags\n{first},a\n{second},b\n".encode())}
    assert (await fleet.theirs.admin.post("/sims/import", files=file)).status_code == 422
    report = (await fleet.ours.admin.post("/sims/import", files=file)).json()
    assert (report["claimed"], report["good"]) == (1, 2)


async def test_orders_of_the_carriers_portal_prove_nothing(fleet: Fleet) -> None:
    first, _ = await ordered_sims(fleet, fleet.ours)
    await fleet.rows("UPDATE orders SET organization_id = NULL RETURNING number")
    await fleet.rows("UPDATE order_requests SET order_number = NULL RETURNING id")
    assert refused(await claim(fleet.ours, iccids=[first]))[1] == "CLAIM_REFUSED"


async def test_a_top_up_of_a_sim_is_no_proof_that_it_was_ordered(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    assert (await fleet.ours.operator.post(f"/sims/{iccid}/extend")).status_code == 202
    await fleet.platform.post("/orders/sync")
    while await fleet.runner().once():
        pass
    assert (await fleet.ours.admin.delete(f"/sims/{iccid}/claim")).status_code == 204
    assert refused(await claim(fleet.ours, iccids=[iccid]))[1] == "CLAIM_REFUSED"


async def test_an_ordered_sim_that_was_given_back_is_not_claimed_again(fleet: Fleet) -> None:
    first, second = await ordered_sims(fleet, fleet.ours)
    assert (await claim(fleet.ours, iccids=[first, second])).status_code == 200
    assert (await fleet.ours.admin.delete(f"/sims/{first}/claim")).status_code == 204
    assert refused(await claim(fleet.ours, iccids=[first]))[1] == "CLAIM_REFUSED"


async def test_no_code_gives_away_by_mistake_what_another_organisation_ordered(fleet: Fleet) -> None:
    first, second = await ordered_sims(fleet, fleet.ours)
    free = fleet.sandbox.sims()[0].iccid
    body = {"iccids": [first, free, second]}
    answer = await fleet.platform.post("/sims/claim-codes", json=body)
    assert refused(answer)[:2] == (409, "SIMS_ORDERED")
    assert answer.json()["error"]["details"] == {"iccids": sorted([first, second])}
    code = await issue(fleet, body["iccids"], even_if_ordered=True)
    assert (await claim(fleet.theirs, code=code["code"])).status_code == 200


async def test_a_claim_code_gives_its_sims_once(fleet: Fleet) -> None:
    await fleet.sync()
    first, second, third = (sim.iccid for sim in fleet.sandbox.sims()[:3])
    code = await issue(fleet, [second, first], note="for Ours Ltd")
    assert (code["iccids"], code["used_at"]) == ([first, second], None)
    assert (await fleet.ours.operator.post("/sims/claim", json={"code": code["code"]})).status_code == 403
    typed = code["code"].lower().replace("-", " ")
    answer = await claim(fleet.ours, code=typed)
    assert (answer.status_code, answer.json()["claimed"]) == (200, [first, second])
    for by in (fleet.ours, fleet.theirs):
        assert refused(await claim(by, code=code["code"]))[:2] == (404, "CLAIM_REFUSED")
    assert (await fleet.ours.viewer.get(f"/sims/{third}")).status_code == 404
    (listed,) = (await fleet.platform.get("/sims/claim-codes")).json()["items"]
    assert (listed["organization_id"], listed["note"]) == (str(fleet.ours.id), "for Ours Ltd")
    assert "code" not in listed
    stored = await fleet.rows("SELECT claim_codes::text AS row FROM claim_codes")
    assert code["code"] not in stored[0].row
    assert code["code"].replace("-", "") not in stored[0].row


async def test_of_two_that_use_a_code_at_once_one_gets_all_sims(fleet: Fleet) -> None:
    await fleet.sync()
    iccids = [sim.iccid for sim in fleet.sandbox.sims()[:5]]
    code = (await issue(fleet, iccids))["code"]
    claims = [claim(by, code=code) for by in (fleet.ours, fleet.theirs) * 3]
    answers = await asyncio.gather(*claims)
    assert sorted(answer.status_code for answer in answers) == [200] + [404] * 5
    rows = await fleet.rows("SELECT DISTINCT organization_id FROM sims WHERE organization_id IS NOT NULL")
    assert len(rows) == 1


async def test_expired_and_revoked_codes_and_codes_of_taken_sims_give_nothing(fleet: Fleet) -> None:
    await fleet.sync()
    first, second, third, fourth = (sim.iccid for sim in fleet.sandbox.sims()[:4])
    expired, revoked = await issue(fleet, [first]), await issue(fleet, [second])
    overtaken = await issue(fleet, [third, fourth])
    moment = "expires_at = now() - interval '1 second'"
    await fleet.rows(f"UPDATE claim_codes SET {moment} WHERE id = :id RETURNING 1", id=expired["id"])
    assert (await fleet.platform.delete(f"/sims/claim-codes/{revoked['id']}")).status_code == 204
    await fleet.claim(fourth, by=fleet.theirs)
    answers = [await claim(fleet.ours, code=code["code"]) for code in (expired, revoked, overtaken)]
    answers.append(await claim(fleet.ours, code="nonsense"))
    assert len({refused(answer) for answer in answers}) == 1
    assert await owners(fleet) == 1
    assert (await fleet.theirs.admin.delete(f"/sims/{fourth}/claim")).status_code == 204
    assert (await claim(fleet.ours, code=overtaken["code"])).status_code == 200, "a refusal uses no code up"


async def test_only_the_platform_administrator_issues_codes(fleet: Fleet) -> None:
    await fleet.sync()
    free, taken = (sim.iccid for sim in fleet.sandbox.sims()[:2])
    await fleet.claim(taken)
    for person in (fleet.ours.admin, fleet.ours.operator):
        assert (await person.post("/sims/claim-codes", json={"iccids": [free]})).status_code == 403
        assert (await person.get("/sims/claim-codes")).status_code == 403
        assert (await person.delete(f"/sims/claim-codes/{uuid4()}")).status_code == 403
    bad = await fleet.platform.post("/sims/claim-codes", json={"iccids": [free, taken, UNKNOWN]})
    assert bad.status_code == 404
    assert bad.json()["error"]["details"] == {"iccids": [taken, UNKNOWN]}
    assert (await fleet.platform.delete(f"/sims/claim-codes/{uuid4()}")).status_code == 404
    malformed: list[dict[str, Any]] = [
        {"iccids": []},
        {"iccids": [free], "expires_in_hours": 0},
        {"iccids": ["12"]},
    ]
    for body in malformed:
        assert (await fleet.platform.post("/sims/claim-codes", json=body)).status_code == 422
    malformed = [{}, {"code": ""}, {"code": "x", "iccids": [free]}, {"code": "a\0b"}]
    for body in malformed:
        assert (await claim(fleet.ours, **body)).status_code == 422
