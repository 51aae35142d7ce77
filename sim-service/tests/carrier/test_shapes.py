"""Every shape that FACTS of the carrier name is read, or refused in our own words."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from fleet_kit.errors import FleetError
from sim_service.carrier.errors import (
    CarrierBadAnswer,
    CarrierOperationUnavailable,
    CarrierRejected,
    CarrierSimNotFound,
)
from sim_service.carrier.models import Priority, QuotaKind, QuotaState, SimStatus, UsageDay
from sim_service.carrier.once import fields
from sim_service.carrier.once.parsers import sims as parsers

from ..carrier_support import ICCID, Script, carrier, html, ok, sim, truncated

PEOPLE = Priority.INTERACTIVE


@pytest.mark.parametrize(
    "written",
    [
        "2026-10-01T11:59:44.000+0000",
        "2026-10-01T11:59:44.000Z",
        "2026-10-01T11:59:44Z",
        "2026-10-01T13:59:44.000+0200",
        "2026-10-01 11:59:44",
    ],
)
def test_every_date_format_is_the_same_utc_moment(written: str) -> None:
    assert fields.moment({"at": written}, "at") == datetime(2026, 10, 1, 11, 59, 44, tzinfo=UTC)


def test_a_bare_day_is_its_utc_midnight() -> None:
    assert fields.moment({"at": "2026-10-01"}, "at") == datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize("odd", [None, "", "soon", 7, {}, "2026-13-01", True])
def test_an_odd_date_costs_only_itself(odd: Any) -> None:
    assert fields.moment({"at": odd}, "at") is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0.014598999999999997", 15308),
        ("0", 0),
        ("-3", 0),
        (1, 1048576),
        ("1e9999", 0),
        ("NaN", 0),
        (None, 0),
    ],
)
def test_megabytes_become_whole_bytes_without_noise(written: Any, read: int) -> None:
    assert fields.megabytes({"volume": written}, "volume") == read


async def test_fields_left_out_are_unknown(redis: Redis) -> None:
    script = Script(
        [ok([{"iccid": ICCID, "status": "Disabled"}], {"X-Total-Count": "1", "X-Total-Pages": "1"})]
    )
    page = await carrier(script, redis).list_sims(1, priority=PEOPLE)
    (found,) = page.sims
    assert (found.status, found.label, found.imei, found.imsi_2) == (SimStatus.DISABLED, "", None, None)
    assert (page.total, page.pages, page.skipped) == (1, 1, 0)
    assert script.paths == ["/base/v2/sims"]
    assert dict(script.requests[0].url.params) == {"page": "1", "pageSize": "100"}


@pytest.mark.parametrize("status", ["Enabled", "Activated", "enabled"])
def test_activated_means_enabled(status: str) -> None:
    read = parsers.sim(sim(status=status))
    assert read is not None
    assert read.status is SimStatus.ENABLED


def test_an_unknown_status_is_kept_as_unknown() -> None:
    read = parsers.sim(sim(status="Hibernating"))
    assert read is not None
    assert read.status is SimStatus.UNKNOWN


async def test_rows_that_cannot_be_read_are_counted_and_cost_no_neighbour(redis: Redis) -> None:
    rows = [sim(), None, "x", {"status": "Enabled"}, sim("12"), sim(), sim("8988280666000000001")]
    page = await carrier(Script([ok(rows)]), redis).list_sims(1, priority=PEOPLE)
    assert [one.iccid for one in page.sims] == [ICCID, "8988280666000000001"]
    assert page.skipped == 4


def test_text_that_no_store_takes_is_cleaned() -> None:
    read = parsers.sim(sim(label="a\x00b\ud800" + "x" * 400, imei=["?"]))
    assert read is not None
    assert read.label == ("ab" + "x" * 400)[:255]
    assert read.imei is None


@pytest.mark.parametrize(
    ("state", "read"), [(0, QuotaState.OK), (1, QuotaState.LOW), (2, QuotaState.EXHAUSTED), (9, None)]
)
def test_the_lists_quota_states_are_read(state: int, read: QuotaState | None) -> None:
    found = parsers.sim(sim(quota_status={"id": state}))
    assert found is not None
    assert found.data_quota_state is read


async def test_an_empty_200_is_an_unknown_sim_after_a_second_look(redis: Redis) -> None:
    script = Script([httpx.Response(200, content=b"")])
    with pytest.raises(CarrierSimNotFound) as caught:
        await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)
    assert (caught.value.status, caught.value.code) == (404, "SIM_NOT_FOUND")
    assert len(script.requests) == 2


async def test_a_single_empty_200_loses_no_sim(redis: Redis) -> None:
    script = Script([httpx.Response(200, content=b""), ok(sim())])
    assert (await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)).iccid == ICCID


@pytest.mark.parametrize(
    "body",
    [
        {"error_code": 1000, "error_token": "NotFound", "message": "Element not found"},
        {"timestamp": "2026-01-01T00:00:00.000+0000", "status": 404, "error": "Not Found", "path": "/x"},
        {"message": "SIM not found."},
        None,
        ["?"],
    ],
)
async def test_404_in_every_shape_is_an_unknown_sim(redis: Redis, body: Any) -> None:
    script = Script([httpx.Response(404, json=body) if body else httpx.Response(404)])
    with pytest.raises(CarrierSimNotFound):
        await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)
    assert len(script.requests) == 1


async def test_422_means_the_sim_has_expired(redis: Redis) -> None:
    with pytest.raises(CarrierRejected) as caught:
        await carrier(Script([httpx.Response(422)]), redis).get_sim(ICCID, priority=PEOPLE)
    assert caught.value.code == "SIM_EXPIRED"


@pytest.mark.parametrize("status", [400, 403, 409])
async def test_a_refusal_carries_the_carriers_own_words(redis: Redis, status: int) -> None:
    body = {"error_code": 1000, "error_token": "BadRequest", "message": "Cannot parse parameter"}
    with pytest.raises(CarrierRejected) as caught:
        await carrier(Script([httpx.Response(status, json=body)]), redis).get_sim(ICCID, priority=PEOPLE)
    assert caught.value.details["message"] == "Cannot parse parameter"
    assert caught.value.details["error"] == "BadRequest"


async def test_an_answer_about_another_sim_is_refused(redis: Redis) -> None:
    script = Script([ok(sim("8988280666000000001"))])
    with pytest.raises(CarrierBadAnswer):
        await carrier(script, redis).get_sim(ICCID, priority=PEOPLE)


@pytest.mark.parametrize("body", [{}, "x", 7, {"stats": {}}, {"stats": None}])
async def test_usage_of_another_shape_is_refused(redis: Redis, body: Any) -> None:
    with pytest.raises(FleetError) as caught:
        await carrier(Script([ok(body)]), redis).usage(
            ICCID, date(2026, 10, 1), date(2026, 10, 2), priority=PEOPLE
        )
    assert caught.value.code == "CARRIER_BAD_ANSWER"


def usage_row(
    when: Any, rx: Any = "0", tx: Any = "0", sms_rx: Any = "0", sms_tx: Any = "0"
) -> dict[str, Any]:
    data = {"volume": "9", "volume_rx": rx, "volume_tx": tx, "cost": "1"}
    return {"date": when, "data": data, "sms": {"volume_rx": sms_rx, "volume_tx": sms_tx}}


async def test_usage_skips_the_total_and_reads_directions_and_strings(redis: Redis) -> None:
    stats = [
        usage_row("2026-10-02T00:00:00.000Z", "0.014598999999999997", "2", "3", "1"),
        usage_row("2026-10-01"),
        usage_row("2026-09-30T00:00:00.000Z", "5", "5"),
        usage_row("whenever"),
        "?",
        usage_row("TOTAL", "99", "99", "99", "99"),
    ]
    script = Script([ok({"stats": stats})])
    days = await carrier(script, redis).usage(ICCID, date(2026, 10, 1), date(2026, 10, 2), priority=PEOPLE)
    assert days == [
        UsageDay(date(2026, 10, 1)),
        UsageDay(date(2026, 10, 2), data_mo_bytes=15308, data_mt_bytes=2 * 1048576, sms_mo=3, sms_mt=1),
    ]
    assert script.paths == [f"/base/v1/sims/{ICCID}/usage"]
    assert dict(script.requests[0].url.params) == {"start_dt": "2026-10-01", "end_dt": "2026-10-02"}


@pytest.mark.parametrize(
    ("body", "remaining", "state"),
    [
        (
            {"volume": 435.787951, "total_volume": 500, "threshold_percentage": 20},
            "435.787951",
            QuotaState.OK,
        ),
        ({"volume": 100, "total_volume": 500, "threshold_percentage": 20}, "100", QuotaState.LOW),
        ({"volume": "90.5", "total_volume": "500"}, "90.5", QuotaState.LOW),
        ({"volume": 0, "total_volume": 500}, "0", QuotaState.EXHAUSTED),
        ({"volume": -1.25, "total_volume": 500, "status": {"id": 0}}, "-1.25", QuotaState.EXHAUSTED),
        ({"volume": 500, "total_volume": 500, "status": {"id": 2}}, "500", QuotaState.EXPIRED),
        ({"volume": 500, "total_volume": 500, "status": {"id": 1}}, "500", QuotaState.OK),
        ({"volume": 500, "total_volume": 500, "threshold_percentage": 9999}, "500", QuotaState.LOW),
        ({"volume": 1}, "1", QuotaState.OK),
    ],
)
async def test_quotas_of_both_versions_are_read(
    redis: Redis, body: dict[str, Any], remaining: str, state: QuotaState
) -> None:
    quota = await carrier(Script([ok(body)]), redis).quota(ICCID, QuotaKind.DATA, priority=PEOPLE)
    assert (quota.remaining, quota.state) == (Decimal(remaining), state)


@pytest.mark.parametrize("body", [{}, [], {"volume": "lots"}, {"volume": True}])
async def test_a_quota_that_does_not_say_what_is_left_is_refused(redis: Redis, body: Any) -> None:
    with pytest.raises(CarrierBadAnswer):
        await carrier(Script([ok(body)]), redis).quota(ICCID, QuotaKind.SMS, priority=PEOPLE)


@pytest.mark.parametrize("answer", [ok({"items": []}), httpx.Response(200, content=b""), truncated(b"[{")])
async def test_a_list_that_is_none_is_refused_after_retries(redis: Redis, answer: httpx.Response) -> None:
    with pytest.raises(CarrierBadAnswer):
        await carrier(Script([answer]), redis).list_sims(1, priority=PEOPLE)


async def test_an_empty_list_answer_is_asked_again(redis: Redis) -> None:
    script = Script([httpx.Response(200, content=b""), ok([sim()])])
    assert len((await carrier(script, redis).list_sims(1, priority=PEOPLE)).sims) == 1


async def test_an_account_without_sims_may_answer_nothing(redis: Redis) -> None:
    script = Script([httpx.Response(200, content=b"", headers={"X-Total-Count": "0"})])
    assert (await carrier(script, redis).list_sims(1, priority=PEOPLE)).sims == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(410),
        httpx.Response(501),
        html(410),
        httpx.Response(404, json={"message": "API version 1 has been switched off, use version 2"}),
        httpx.Response(403, json={"message": "API version 1 has been retired"}),
    ],
)
async def test_a_retired_version_is_told_from_a_missing_sim(redis: Redis, answer: httpx.Response) -> None:
    with pytest.raises(CarrierOperationUnavailable) as caught:
        await carrier(Script([answer]), redis).usage(
            ICCID, date(2026, 10, 1), date(2026, 10, 2), priority=PEOPLE
        )
    assert (caught.value.status, caught.value.code) == (501, "CARRIER_OPERATION_UNAVAILABLE")


async def test_versions_are_chosen_per_operation(redis: Redis) -> None:
    script = Script([ok(sim())])
    await carrier(script, redis, versions=("v1",)).get_sim(ICCID, priority=PEOPLE)
    assert script.paths == [f"/base/v1/sims/{ICCID}"]
    with pytest.raises(CarrierOperationUnavailable):
        await carrier(script, redis, versions=("v2",)).usage(
            ICCID, date(2026, 10, 1), date(2026, 10, 2), priority=PEOPLE
        )
    assert len(script.requests) == 1
