"""The gate: rate limits, the end of v1, the request log."""

import asyncio
import time
from collections import Counter

import httpx

from .support import Client, iccid, make_client


async def test_ten_requests_a_second_and_not_one_more() -> None:
    async with make_client(rate_limit_enabled=True) as client:
        started = time.monotonic()
        answers = await asyncio.gather(*(client.get(f"/v2/sims/{iccid(0)}") for _ in range(30)))
        seconds = time.monotonic() - started
    statuses = Counter(answer.status_code for answer in answers)
    assert 10 <= statuses[200] <= 11 + 10 * seconds
    assert statuses[429] == 30 - statuses[200]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert int(refused.headers["Retry-After"]) >= 1
    assert "message" in refused.json()


async def test_other_paths_have_their_own_limits() -> None:
    async with make_client(rate_limit_enabled=True) as client:
        await client.behave(others_per_five_minutes=3, tokens_per_minute=2, retry_after=False)
        client.sandbox_app.sandbox.limits.buckets.clear()
        products = [(await client.get("/v1/products")).status_code for _ in range(4)]
        assert products == [200, 200, 200, 429]
        assert (await client.get("/v1/orders")).status_code == 200
        assert (await client.get("/v2/sims")).status_code == 200
        tokens = [await client.post("/oauth/token", auth=("a", "b"), json={}) for _ in range(3)]
        assert [answer.status_code for answer in tokens] == [400, 400, 429]
        assert "Retry-After" not in tokens[-1].headers


async def test_v1_can_reach_its_end_of_life(client: Client) -> None:
    await client.behave(v1_enabled=False)
    for path in ("/v1/sims", f"/v1/sims/{iccid(0)}/usage", "/v1/orders", "/v1/products", "/v1/support"):
        answer = await client.get(path)
        assert answer.status_code == 410
        assert answer.json()["status"] == 410
    await client.log_in()
    for path in ("/v2/sims", f"/v2/sims/{iccid(0)}/quota/data", f"/v2/sims/{iccid(0)}/events"):
        assert (await client.get(path)).status_code == 200
    await client.behave(v1_end_status=404)
    assert (await client.get("/v1/sims")).status_code == 404


async def test_the_request_log_counts_by_kind_and_status(client: Client) -> None:
    await client.control("DELETE", "/requests")
    for index in range(3):
        await client.get(f"/v2/sims/{iccid(index)}/quota/data")
    await client.get("/v2/sims/1")
    counts = (await client.control("GET", "/requests/counts")).json()
    assert counts["total"] == 4
    assert counts["by"][0] == {
        "method": "GET",
        "path": "/v2/sims/{id}/quota/data",
        "status": 200,
        "count": 3,
    }
    assert counts["busiest_second"]["sims"] == 4
    newest = (await client.control("GET", "/requests?path=quota&limit=1")).json()
    assert newest[0]["path"] == f"/v2/sims/{iccid(2)}/quota/data"


async def test_unknown_paths_have_the_shape_of_their_version(client: Client) -> None:
    assert (await client.get("/v1/nothing")).json()["status"] == 404
    assert (await client.get("/v2/nothing")).json()["error_token"] == "NotFound"
    assert "error" in (await client.get("/control/nothing")).json()
    deleted: httpx.Response = await client.delete("/v2/sims")
    assert deleted.status_code == 405


async def test_the_page_and_health(client: Client) -> None:
    for path in ("/", "/page.css", "/page.js", "/health", "/control/docs", "/control/openapi.json"):
        assert (await client.get(path)).status_code == 200
    assert (await client.get("/health")).json()["status"] == "ok"
    overview = (await client.control("GET", "")).json()
    assert overview["sims"]["total"] == 60


async def test_the_control_api_refuses_what_it_does_not_know(client: Client) -> None:
    bad: list[tuple[str, str, object]] = [
        ("POST", "/clock", {"advance": 5}),
        ("POST", "/clock", {"advance_seconds": -5}),
        ("PATCH", "/behaviours", {"unknown_iccid": "maybe"}),
        ("PATCH", "/behaviours", {"nonsense": 1}),
        ("POST", "/usage", {"iccid": iccid(0)}),
        ("POST", "/usage", {"iccid": iccid(0), "bytes": 1, "sent_bytes": 1}),
        ("POST", "/usage", {"iccid": iccid(0), "bytes": -1}),
        ("POST", "/usage", {"iccid": iccid(0) + "5", "bytes": 1}),
        ("POST", "/sessions", {"iccid": iccid(0), "action": "dance"}),
        ("POST", "/sessions", {"iccid": iccid(0), "action": "attach", "operator": "nobody"}),
        ("POST", "/faults", {"kind": "status", "share": 2}),
        ("POST", "/faults", {"kind": "flat_records", "path": "/v2/*"}),
        ("POST", "/streams", {"url": "ftp://example.com"}),
    ]
    for method, path, body in bad:
        answer = await client.request(method, f"/control{path}", json=body)
        assert answer.status_code == 422, (path, body, answer.text)
        assert answer.json()["error"]["message"]


async def test_a_new_world(client: Client) -> None:
    await client.post(f"/v1/sims/{iccid(0)}/topup")
    assert (await client.control("POST", "/reset", {"sims": 5})).json()["sims"] == 5
    assert (await client.get("/v2/sims")).headers["X-Total-Count"] == "5"
    assert (await client.control("GET", "/ledger")).json()["orders"] == 0


async def test_the_clock_jumps_stops_and_runs(client: Client) -> None:
    stopped = (await client.control("POST", "/clock", {"set": "2030-01-01T00:00:00Z", "speed": 0})).json()
    assert stopped["now"] == "2030-01-01T00:00:00.000Z"
    assert (await client.control("GET", "/clock")).json()["now"] == stopped["now"]
    await client.control("POST", "/clock", {"speed": 86_400})
    assert (await client.control("GET", "/clock")).json()["now"] > stopped["now"]
