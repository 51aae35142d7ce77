"""The inventory: list, search, sort, pages, read, and whose SIM it is."""

import pytest

from sim_service.platform.iccid import luhn_digit

from ..support import Fleet


async def test_a_sim_belongs_to_nobody_until_it_is_claimed(fleet: Fleet) -> None:
    await fleet.sync()
    first = fleet.sandbox.sims()[0].iccid
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 0
    assert (await fleet.ours.viewer.get(f"/sims/{first}")).status_code == 404
    unclaimed = (await fleet.platform.get("/sims", params={"claimed": False})).json()
    assert unclaimed["total"] == 250
    assert await fleet.events("sim.") == []


async def test_a_claimed_sim_shows_the_carriers_facts(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    sim = (await fleet.ours.viewer.get(f"/sims/{iccid}")).json()
    theirs = fleet.sandbox.sims()[0]
    assert sim["iccid_with_luhn"] == theirs.iccid_with_luhn
    assert (sim["imsi"], sim["msisdn"], sim["imei"]) == (theirs.imsi, theirs.msisdn, theirs.imei)
    assert sim["status"] == "enabled"
    assert sim["organization_id"] == str(fleet.ours.id)
    assert sim["activated_at"].endswith("Z")
    assert 0 <= sim["age_seconds"] < 60


async def test_another_organisations_sim_is_not_found_by_any_path(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    stranger = fleet.theirs.admin
    paths = ["", "/usage", "/quota/data", "/quota/sms", "/quotas"]
    answers = [await stranger.get(f"/sims/{iccid}{path}") for path in paths]
    answers += [await stranger.post(f"/sims/{iccid}{path}") for path in ("/sync", "/usage/sync")]
    answers += [
        await stranger.put(f"/sims/{iccid}/device", json={"device_id": str(fleet.theirs.id)}),
        await stranger.delete(f"/sims/{iccid}/device"),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["error"]["code"] for answer in answers} == {"SIM_NOT_FOUND"}
    assert (await stranger.get("/sims", params={"search": iccid})).json()["items"] == []


async def test_a_claim_takes_all_or_nothing(fleet: Fleet) -> None:
    await fleet.sync()
    first, second, third = (sim.iccid for sim in fleet.sandbox.sims()[:3])
    await fleet.claim(third, by=fleet.theirs)
    refused = await fleet.ask_claim(first, third, "8988280666999999999", by=fleet.ours)
    assert refused.status_code == 404
    assert refused.json()["error"]["details"]["iccids"] == [third, "8988280666999999999"]
    assert (await fleet.ours.viewer.get("/sims")).json()["total"] == 0
    assert await fleet.claim(first + str(luhn_digit(first)), second) == {
        "organization_id": str(fleet.ours.id),
        "claimed": [first, second],
        "already_owned": [],
    }
    again = await fleet.claim(first)
    assert again["already_owned"] == [first]
    ours = [
        event for event in await fleet.events("sim.updated") if event["organizationid"] == str(fleet.ours.id)
    ]
    assert [event["data"]["iccid"] for event in ours] == [first, second]


async def test_only_admins_claim_and_only_the_platform_claims_for_others(fleet: Fleet) -> None:
    await fleet.sync()
    iccid = fleet.sandbox.sims()[0].iccid
    body = {"iccids": [iccid]}
    assert (await fleet.ours.operator.post("/sims/claim", json=body)).status_code == 403
    for_others = body | {"organization_id": str(fleet.theirs.id)}
    assert (await fleet.ours.admin.post("/sims/claim", json=for_others)).status_code == 404
    assert (await fleet.platform.post("/sims/claim", json=for_others)).status_code == 200
    assert (await fleet.theirs.viewer.get(f"/sims/{iccid}")).status_code == 200


@pytest.mark.parametrize("of", ["iccid", "iccid_with_luhn", "imsi", "msisdn", "imei", "ip_address", "label"])
async def test_search_finds_a_sim_by_each_of_its_numbers(fleet: Fleet, of: str) -> None:
    await fleet.owned_sims(30)
    wanted = fleet.sandbox.sims()[7]
    wanted.label = "Pump 7 in Ürümqi"
    await fleet.sync()
    term = str(getattr(wanted, of))
    found = (await fleet.ours.viewer.get("/sims", params={"search": term})).json()["items"]
    assert [sim["iccid"] for sim in found] == [wanted.iccid]
    part = (await fleet.ours.viewer.get("/sims", params={"search": term[:-1].lower()})).json()["items"]
    assert wanted.iccid in [sim["iccid"] for sim in part]


async def test_search_finds_the_imei_that_is_printed_on_the_device(fleet: Fleet) -> None:
    await fleet.owned_sims(5)
    wanted = fleet.sandbox.sims()[3]
    assert wanted.imei is not None
    printed = wanted.imei[:14] + str(luhn_digit(wanted.imei[:14]))
    found = (await fleet.ours.viewer.get("/sims", params={"search": printed})).json()["items"]
    assert [sim["iccid"] for sim in found] == [wanted.iccid]


@pytest.mark.parametrize("term", ["%", "_", "\\", "' OR 1=1", "nothing like it"])
async def test_search_takes_its_term_literally(fleet: Fleet, term: str) -> None:
    await fleet.owned_sims(3)
    assert (await fleet.ours.viewer.get("/sims", params={"search": term})).json()["items"] == []


@pytest.mark.parametrize(
    "sort", ["iccid", "-iccid", "label", "-label", "status", "-created_at", "updated_at"]
)
async def test_cursor_pages_show_every_sim_once_in_order(fleet: Fleet, sort: str) -> None:
    await fleet.owned_sims(25)
    params: dict[str, str | int] = {"sort": sort, "page_size": 7}
    seen: list[dict[str, str]] = []
    page = (await fleet.ours.viewer.get("/sims", params=params)).json()
    assert page["total"] == 25
    while True:
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        page = (await fleet.ours.viewer.get("/sims", params=params | {"cursor": page["next_cursor"]})).json()
        assert page["total"] is None
    assert len({sim["iccid"] for sim in seen}) == len(seen) == 25
    keys = [((sim[sort.strip("-")] or ""), sim["iccid"]) for sim in seen]
    assert keys == sorted(keys, reverse=sort.startswith("-"))


async def test_pages_by_number_agree_with_the_cursor(fleet: Fleet) -> None:
    await fleet.owned_sims(10)
    first = (await fleet.ours.viewer.get("/sims", params={"page_size": 4})).json()
    by_number = (await fleet.ours.viewer.get("/sims", params={"page_size": 4, "page": 2})).json()
    by_cursor = (
        await fleet.ours.viewer.get("/sims", params={"page_size": 4, "cursor": first["next_cursor"]})
    ).json()
    assert [sim["iccid"] for sim in by_number["items"]] == [sim["iccid"] for sim in by_cursor["items"]]
    assert (by_number["page"], by_cursor["page"]) == (2, None)


async def test_filters_narrow_the_list(fleet: Fleet) -> None:
    await fleet.owned_sims(200)
    disabled = sum(not sim.enabled for sim in fleet.sandbox.sims()[:200])
    answer = (await fleet.ours.viewer.get("/sims", params={"status": "disabled"})).json()
    assert answer["total"] == disabled > 0
    low = sum(sim.data.level() == 1 or sim.sms.level() == 1 for sim in fleet.sandbox.sims()[:200])
    assert (await fleet.ours.viewer.get("/sims", params={"quota_state": "low"})).json()["total"] == low > 0
    assert (await fleet.ours.viewer.get("/sims", params={"linked": True})).json()["total"] == 0
    assert (await fleet.ours.viewer.get("/sims", params={"missing": False})).json()["total"] == 200


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": 10**9}, "page"),
        ({"page_size": 201}, "page_size"),
        ({"page_size": "many"}, "page_size"),
        ({"cursor": "!!"}, "cursor"),
        ({"cursor": "WzEsMiwzXQ"}, "cursor"),
        ({"sort": "colour"}, "sort"),
        ({"status": "asleep"}, "status"),
        ({"linked": "perhaps"}, "linked"),
        ({"device_id": "7"}, "device_id"),
        ({"search": "x" * 101}, "search"),
        ({"search": "a\x00b"}, "search"),
    ],
)
async def test_an_impossible_list_is_refused_naming_the_field(
    fleet: Fleet, params: dict[str, str | int], field: str
) -> None:
    answer = await fleet.ours.viewer.get("/sims", params=params)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == field


async def test_a_cursor_of_another_order_is_refused(fleet: Fleet) -> None:
    await fleet.owned_sims(3)
    page = (await fleet.ours.viewer.get("/sims", params={"page_size": 1})).json()
    answer = await fleet.ours.viewer.get("/sims", params={"cursor": page["next_cursor"], "sort": "-label"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "iccid", ["12", "898828066600000000x", "8988280666000000000" + "9" * 5, "89882806660000000001", "%00"]
)
async def test_a_malformed_iccid_is_refused(fleet: Fleet, iccid: str) -> None:
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}")
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["fields"][0]["field"] == "iccid"


async def test_an_iccid_is_taken_with_its_check_digit(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    answer = await fleet.ours.viewer.get(f"/sims/{iccid}{luhn_digit(iccid)}")
    assert answer.json()["iccid"] == iccid


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"iccids": []}',
        b'{"iccids": ["1"]}',
        b'{"iccids": "8988280666000000000"}',
        b'{"iccids": ["8988280666000000000"], "all": true}',
        b'{"iccids": [NaN]}',
        b'{"iccids": [' + b'"8988280666000000000",' * 1000 + b'"8988280666000000000"]}',
    ],
)
async def test_a_malformed_claim_is_refused(fleet: Fleet, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await fleet.ours.admin.post("/sims/claim", content=body, headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.json()["error"]["code"] in {"MALFORMED_JSON", "VALIDATION_FAILED"}


async def test_without_a_token_nothing_is_shown(fleet: Fleet) -> None:
    for path in ("/sims", "/sims/8988280666000000000", "/jobs"):
        assert (await fleet.anyone.get(path)).status_code == 401


async def test_viewers_read_but_do_not_change(fleet: Fleet) -> None:
    (iccid,) = await fleet.owned_sims(1)
    viewer = fleet.ours.viewer
    answers = [
        await viewer.post("/sims/sync-all"),
        await viewer.post(f"/sims/{iccid}/sync"),
        await viewer.post(f"/sims/{iccid}/usage/sync"),
        await viewer.put(f"/sims/{iccid}/device", json={"device_id": str(fleet.ours.id)}),
        await viewer.delete(f"/sims/{iccid}/device"),
    ]
    assert {answer.status_code for answer in answers} == {403}
    assert (await viewer.get(f"/sims/{iccid}/quotas")).status_code == 200
