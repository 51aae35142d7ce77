"""SIMs: list, read, change, in both versions."""

import httpx
import pytest

from once_sandbox.sims.identity import luhn_digit

from .support import Client, eventually, iccid, make_client


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_list_is_a_bare_array_with_its_totals_in_headers(client: Client, version: str) -> None:
    answer = await client.get(f"/{version}/sims", params={"page": 3, "pageSize": 25})
    assert len(answer.json()) == 10
    totals = {name: answer.headers[name] for name in answer.headers if name.startswith("x-")}
    assert totals == {
        "x-total-count": "60",
        "x-total-pages": "3",
        "x-count-per-page": "10",
        "x-current-page": "3",
    }


async def test_pages_together_hold_every_sim_once(client: Client) -> None:
    seen: list[str] = []
    for page in range(1, 8):
        seen += [sim["iccid"] for sim in (await client.get("/v2/sims", params={"page": page})).json()]
    assert sorted(seen) == [iccid(index) for index in range(60)]


async def test_numbers_have_their_lengths_and_a_right_check_digit(client: Client) -> None:
    sims = (await client.get("/v1/sims", params={"pageSize": 100})).json()
    for sim in sims:
        assert len(sim["iccid"]) == 19
        assert sim["iccid_with_luhn"] == f"{sim['iccid']}{luhn_digit(sim['iccid'])}"
        assert len(sim.get("imei", "0" * 16)) == 16
        assert None not in sim.values(), "missing values are left out"
    assert any("imei" not in sim for sim in sims)
    assert any("label" not in sim for sim in sims)


async def test_the_luhn_digit_is_the_one_of_a_known_card() -> None:
    assert luhn_digit("7992739871") == 3


async def test_the_same_seed_makes_the_same_sims() -> None:
    async with make_client(seed=3) as first, make_client(seed=3) as second, make_client(seed=4) as other:
        same = [
            [sim | {"activation_date": ""} for sim in (await one.get("/v2/sims?pageSize=60")).json()]
            for one in (first, second, other)
        ]
    assert [sim["label"] for sim in same[0] if "label" in sim] == [
        sim["label"] for sim in same[1] if "label" in sim
    ]
    assert [sim.get("imei") for sim in same[0]] == [sim.get("imei") for sim in same[1]]
    assert [sim.get("imei") for sim in same[0]] != [sim.get("imei") for sim in same[2]]


async def test_search_and_sort(client: Client) -> None:
    sim = (await client.get(f"/v1/sims/{iccid(5)}")).json()
    found = await client.get("/v1/sims", params={"q": f"ip_address:{sim['ip_address']},imei:{sim['imei']}"})
    assert [row["iccid"] for row in found.json()] == [iccid(5)]
    assert found.headers["X-Total-Count"] == "1"
    rows = (await client.get("/v2/sims", params={"sort": "-imei", "pageSize": 100})).json()
    imeis = [row.get("imei", "") for row in rows]
    assert imeis == sorted(imeis, reverse=True)


@pytest.mark.parametrize(
    "query", ["page=0", "pageSize=101", "pageSize=x", "page=-1", "q=label:a", "sort=label", "page=9999999999"]
)
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_impossible_pages_are_refused(client: Client, version: str, query: str) -> None:
    answer = await client.get(f"/{version}/sims?{query}")
    assert answer.status_code == 400
    assert ("error_token" in answer.json()) == (version == "v2")


async def test_an_unknown_iccid_is_404_or_an_empty_200(client: Client) -> None:
    assert (await client.get("/v1/sims/1")).status_code == 404
    assert (await client.get("/v2/sims/1")).json()["error_token"] == "NotFound"
    await client.behave(unknown_iccid="empty_200")
    for path in (
        "/v1/sims/1",
        "/v2/sims/1",
        "/v1/sims/1/quota/data",
        "/v1/sims/1/usage",
        "/v2/sims/1/status",
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.content) == (200, b"")
    assert (await client.put("/v2/sims/1", json={"label": "x"})).status_code == 404


async def test_one_sim_may_say_activated(client: Client) -> None:
    await client.control("PUT", "/behaviours/profile/recorded")
    await client.behave(rate_limit_enabled=False)
    assert (await client.get(f"/v1/sims/{iccid(1)}")).json()["status"] == "Activated"
    assert (await client.get("/v1/sims")).json()[1]["status"] == "Enabled"


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_an_update_answers_nothing_and_is_seen(client: Client, version: str) -> None:
    change = {"iccid": iccid(2), "status": "Disabled", "label": "pump", "imei_lock": True}
    answer = await client.put(f"/{version}/sims/{iccid(2)}", json=change)
    assert (answer.status_code, answer.content) == (200, b"")
    sim = (await client.get(f"/{version}/sims/{iccid(2)}")).json()
    assert (sim["status"], sim["label"], sim["imei_lock"]) == ("Disabled", "pump", True)


async def test_v2_changes_only_what_is_given(client: Client) -> None:
    before = (await client.get(f"/v2/sims/{iccid(3)}")).json()
    await client.put(f"/v2/sims/{iccid(3)}", json={"imei_lock": True})
    assert (await client.get(f"/v2/sims/{iccid(3)}")).json() == before | {"imei_lock": True}


@pytest.mark.parametrize(
    "body",
    [
        {"iccid": iccid(2)},
        {"status": "Enabled"},
        {"iccid": iccid(2), "status": "Paused"},
        {"iccid": iccid(3), "status": "Enabled"},
        {"iccid": iccid(2), "status": "Enabled", "imei_lock": "yes"},
        [],
    ],
)
async def test_v1_refuses_a_malformed_update(client: Client, body: object) -> None:
    answer = await client.put(f"/v1/sims/{iccid(2)}", json=body)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400


async def test_a_malformed_body_is_400(client: Client) -> None:
    for content in (b"{", b"\xff\xfe", b"[" * 50_000):
        answer = await client.put(
            f"/v2/sims/{iccid(2)}", content=content, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, content[:3]


async def test_a_bulk_update_is_accepted_now_and_seen_later(client: Client) -> None:
    await client.control("POST", "/clock", {"speed": 0})
    changes = [{"iccid": iccid(index), "status": "Disabled"} for index in (0, 1)]
    answer = await client.post("/v1/sims", json=changes)
    assert (answer.status_code, answer.content) == (201, b"")
    assert (await client.get(f"/v1/sims/{iccid(0)}")).json()["status"] == "Enabled"
    await client.advance(2)
    assert (await client.get(f"/v1/sims/{iccid(0)}")).json()["status"] == "Disabled"


async def test_a_bulk_update_with_one_bad_sim_changes_none(client: Client) -> None:
    await client.control("PATCH", f"/sims/{iccid(1)}", {"expires_in_seconds": -1})
    changes = [{"iccid": iccid(index), "status": "Disabled"} for index in (0, 1)]
    answer = await client.post("/v1/sims", json=changes)
    assert answer.status_code == 422
    assert iccid(1) in answer.json()["message"]
    await client.advance(10)
    assert (await client.get(f"/v1/sims/{iccid(0)}")).json()["status"] == "Enabled"
    assert (await client.post("/v1/sims", json=[{"iccid": "1", "status": "Enabled"}])).status_code == 404


async def test_transferred_sims_leave_the_account(client: Client) -> None:
    ranges = [{"from": iccid(10), "to": iccid(14)}]
    answer = await client.post("/v1/sims/simTransfer", json={"iccid_ranges": ranges, "iccids": [iccid(20)]})
    assert (answer.status_code, answer.content) == (201, b"")
    await client.advance(5)
    assert (await client.get("/v2/sims")).headers["X-Total-Count"] == "54"
    assert (await client.get(f"/v1/sims/{iccid(12)}")).status_code == 403
    assert (await client.post(f"/v1/sims/{iccid(12)}/topup")).json()["message"]
    assert (await client.post("/v1/sims/simTransfer", json={})).status_code == 400


async def test_the_base_path_of_the_public_address_works(client: Client) -> None:
    answer = await client.get("/management-api/v2/sims")
    assert answer.headers["X-Total-Count"] == "60"
    topped = await client.post(f"/management-api/v1/sims/{iccid(0)}/topup")
    assert topped.headers["Location"].startswith("http://carrier/management-api/v1/orders/")
    unknown: httpx.Response = await client.get("/management-api/v1/sims/1")
    assert unknown.json()["path"] == "/v1/sims/1"


async def test_seeding_more_sims(client: Client) -> None:
    added = (await client.control("POST", "/sims", {"count": 5})).json()["iccids"]
    assert added == [iccid(60 + number) for number in range(5)]
    await eventually(lambda: len(client.sandbox_app.sandbox.world.sims.by_iccid) == 65)
