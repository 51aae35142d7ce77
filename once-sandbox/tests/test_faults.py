"""Faults, over real connections."""

import json
import time

import httpx
import pytest

from .support import Client, eventually, iccid

SIM = f"/v2/sims/{iccid(0)}"


async def fault(client: Client, kind: str, **rule: object) -> int:
    number: int = (await client.control("POST", "/faults", {"kind": kind, "path": "/v?/*", **rule})).json()[
        "id"
    ]
    return number


async def test_status_with_the_shape_of_the_path_or_a_body_of_ones_own(served: Client) -> None:
    await fault(served, "status", status=500, count=1)
    answer = await served.get(SIM)
    assert (answer.status_code, set(answer.json())) == (500, {"error_code", "error_token", "message"})
    await fault(served, "status", status=418, count=1, body="tea", headers={"X-Pot": "1"})
    answer = await served.get(SIM)
    assert (answer.status_code, answer.text, answer.headers["X-Pot"]) == (418, "tea", "1")
    assert (await served.get(SIM)).status_code == 200


async def test_an_html_page_instead_of_json(served: Client) -> None:
    await fault(served, "html_503")
    answer = await served.get(SIM)
    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")


async def test_a_dropped_connection(served: Client) -> None:
    await fault(served, "drop", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await served.get(SIM)
    assert (await served.get(SIM)).status_code == 200


async def test_a_truncated_body(served: Client) -> None:
    await fault(served, "truncate", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await served.get(SIM)
    assert (await served.get(SIM)).status_code == 200


async def test_an_answer_lost_after_the_money_was_spent(served: Client) -> None:
    await fault(served, "drop", path="*/topup", when="before", count=1)
    await fault(served, "drop", path="*/topup", when="after", count=1)
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await served.post(f"{SIM}/topup")
    ledger = (await served.control("GET", "/ledger")).json()
    assert ledger["topups_by_iccid"] == {iccid(0): 1}, "the first never arrived, the second did"


async def test_a_delay_makes_a_client_time_out_although_the_call_is_done(served: Client) -> None:
    await fault(served, "delay", seconds=0.4, count=1)
    started = time.monotonic()
    assert (await served.get(SIM)).status_code == 200
    assert time.monotonic() - started >= 0.4


async def test_an_expired_token_stays_expired(served: Client) -> None:
    await fault(served, "expired_token", count=1)
    assert (await served.get(SIM)).status_code == 401
    assert (await served.get(SIM)).status_code == 401
    await served.log_in()
    assert (await served.get(SIM)).status_code == 200


async def test_answers_that_are_no_answers(served: Client) -> None:
    await fault(served, "empty_200", count=1)
    answer = await served.get(SIM)
    assert (answer.status_code, answer.content) == (200, b"")
    await fault(served, "not_json", count=1)
    with pytest.raises(json.JSONDecodeError):
        (await served.get(SIM)).json()
    await fault(served, "rate_limited", count=1, headers={"Retry-After": "3"})
    answer = await served.get(SIM)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


async def test_a_negative_quota(served: Client) -> None:
    await fault(served, "negative_quota", path="*/quota/data", count=1)
    assert (await served.get(f"{SIM}/quota/data")).json()["volume"] < 0
    assert (await served.get(f"{SIM}/quota/data")).json()["volume"] > 0


async def test_share_skip_count_method_and_path_choose_the_calls(served: Client) -> None:
    number = await fault(served, "status", share=0.2)
    statuses = [(await served.get(SIM)).status_code for _ in range(200)]
    assert 20 <= statuses.count(500) <= 60
    await served.control("DELETE", f"/faults/{number}")
    await fault(served, "status", skip=2, count=1, method="GET", path="/v2/sims/*")
    assert (await served.put(SIM, json={"label": "a"})).status_code == 200
    assert [(await served.get(SIM)).status_code for _ in range(5)] == [200, 200, 500, 200, 200]
    rules = (await served.control("GET", "/faults")).json()
    assert (rules[0]["hits"], rules[0]["seen"]) == (1, 3)
    await served.control("DELETE", "/faults")
    assert (await served.control("GET", "/faults")).json() == []
    assert (await served.delete("/control/faults/99")).status_code == 404


async def test_the_token_endpoint_can_fail_as_well(served: Client) -> None:
    await fault(served, "status", path="/oauth/*", status=500, count=1)
    answer = await served.post("/oauth/token")
    assert (answer.status_code, set(answer.json())) == (500, {"statusCode", "errorCode", "message"})


async def test_the_log_names_the_fault(served: Client) -> None:
    await fault(served, "drop", count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await served.get(SIM)
    log = served.sandbox_app.sandbox.log
    await eventually(lambda: log.counts["GET", "/v2/sims/{id}", 0] == 1)
    (entry,) = (await served.control("GET", "/requests?limit=1")).json()
    assert (entry["status"], entry["fault"]) == (0, "drop")
