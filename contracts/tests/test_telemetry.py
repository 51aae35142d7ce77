import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fleet_contracts.telemetry import (
    ITEM_COST_BYTES,
    LEAST_COST_BYTES,
    MAX_BYTES,
    MAX_READINGS,
    OBJECT_COST_BYTES,
    encode_readings,
    format_ts,
    message_cost,
    parse_message,
)

NOW = datetime(2026, 11, 1, 12, 0, 0, 500_999, tzinfo=UTC)
GOLDEN = Path(__file__).parents[1] / "golden" / "telemetry.message.json"


def parse(value: Any) -> Any:
    return parse_message(json.dumps(value).encode(), "dev", NOW)


def test_the_golden_message_still_parses() -> None:
    parsed = parse_message(GOLDEN.read_bytes(), "dev", NOW)
    assert not parsed.rejected
    assert [reading.metrics for reading in parsed.readings][1] == {"data_bytes": 1200, "rssi": -71}
    assert parsed.readings[1].id == "r-1"
    assert format_ts(parsed.readings[2].ts) == "2026-11-01T12:00:00.123Z"


def test_a_reading_without_ts_gets_the_time_of_arrival_in_milliseconds() -> None:
    assert format_ts(parse({"metrics": {"a": 1}}).readings[0].ts) == "2026-11-01T12:00:00.500Z"


def test_the_same_content_of_the_same_device_and_time_has_the_same_id_and_no_other_has() -> None:
    message = {"ts": "2026-11-01T12:00:00Z", "metrics": {"a": 1, "b": 2.5}}
    same = {"metrics": {"b": 2.5, "a": 1}, "ts": "2026-11-01T13:00:00+01:00"}
    other = message | {"metrics": {"a": 1, "b": 2.6}}
    first, second, third = (parse(item).readings[0].id for item in (message, same, other))
    assert first == second != third
    body = json.dumps(message).encode()
    assert parse_message(body, "another", NOW).readings[0].id != first


def test_what_was_parsed_can_be_sent_again_and_means_the_same() -> None:
    readings = parse_message(GOLDEN.read_bytes(), "dev", NOW).readings
    assert parse_message(encode_readings(readings), "dev", NOW).readings == readings


BAD_READINGS = [
    ({"metrics": {}}, "metrics"),
    ({"metrics": {"a.b": 1}}, "metrics.a.b"),
    ({"metrics": {"$a": 1}}, "metrics.$a"),
    ({"metrics": {"a": "1"}}, "metrics.a"),
    ({"metrics": {"a": True}}, "metrics.a"),
    ({"metrics": {"a": None}}, "metrics.a"),
    ({"metrics": {"a": {"b": 1}}}, "metrics.a"),
    ({"metrics": {"a": 2**60}}, "metrics.a"),
    ({"metrics": [1]}, "metrics"),
    ({"ts": 1}, "metrics"),
    ({"metrics": {"a": 1}, "extra": 1}, "extra"),
    ({"metrics": {"a": 1}, "ts": 0}, "ts"),
    ({"metrics": {"a": 1}, "ts": "1970-01-01T00:00:00Z"}, "ts"),
    ({"metrics": {"a": 1}, "ts": "2027-11-01T12:00:00Z"}, "ts"),
    ({"metrics": {"a": 1}, "ts": "2026-11-01T12:00:00"}, "ts"),
    ({"metrics": {"a": 1}, "ts": "yesterday at noon"}, "ts"),
    ({"metrics": {"a": 1}, "ts": True}, "ts"),
    ({"metrics": {"a": 1}, "ts": 1e300}, "ts"),
    ({"metrics": {"a": 1}, "id": ""}, "id"),
    ({"metrics": {"a": 1}, "id": "with space"}, "id"),
    ({"metrics": {"a": 1}, "id": "x" * 65}, "id"),
    ({"metrics": {"a": 1}, "tags": {"a": 1}}, "tags.a"),
    ({"metrics": {"a": 1}, "tags": {"a": "\x00"}}, "tags.a"),
    ({"metrics": {f"m{i}": i for i in range(101)}}, "metrics"),
    ("reading", ""),
    (None, ""),
]


@pytest.mark.parametrize(("bad", "field"), BAD_READINGS)
def test_a_bad_reading_is_rejected_by_field_and_its_neighbours_are_kept(bad: Any, field: str) -> None:
    good = {"metrics": {"ok": 1}}
    parsed = parse([good, bad, good])
    assert [(item.index, item.field) for item in parsed.rejected] == [(1, field)]
    assert len(parsed.readings) == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MALFORMED_JSON"),
        (b"{", "MALFORMED_JSON"),
        (b"\xff\xfe", "MALFORMED_JSON"),
        (b'{"metrics": {"a": NaN}}', "MALFORMED_JSON"),
        (b'{"metrics": {"a": -Infinity}}', "MALFORMED_JSON"),
        (b'{"metrics": {"\\ud800": 1}}', "MALFORMED_JSON"),
        (b"[" * 100_000, "MALFORMED_JSON"),
        (b"[]", "EMPTY_MESSAGE"),
        (json.dumps([{"metrics": {"a": 1}}] * (MAX_READINGS + 1)).encode(), "TOO_MANY_READINGS"),
    ],
)
def test_a_message_that_cannot_be_read_is_rejected_as_a_whole(body: bytes, code: str) -> None:
    parsed = parse_message(body, "dev", NOW)
    assert [(item.index, item.code) for item in parsed.rejected] == [(None, code)]
    assert not parsed.readings


def test_numbers_beyond_any_float_are_rejected() -> None:
    parsed = parse_message(b'[{"metrics": {"a": 1e999}}]', "dev", NOW)
    assert parsed.rejected[0].field == "metrics.a"


def test_clocks_five_minutes_off_are_accepted() -> None:
    for offset in (timedelta(minutes=-5), timedelta(minutes=5)):
        assert parse({"ts": format_ts(NOW + offset), "metrics": {"a": 1}}).readings


def test_small_messages_and_small_readings_cost_more_than_their_bytes() -> None:
    assert message_cost(b"x") == LEAST_COST_BYTES
    tiny = json.dumps([{"metrics": {"a": 1}}] * 1000, separators=(",", ":")).encode()
    assert len(tiny) < message_cost(tiny) == 2 * 1000 * OBJECT_COST_BYTES
    large = json.dumps({"metrics": {f"m{number}": 1.5 for number in range(100)}}).encode()
    assert message_cost(large) == len(large)


def test_items_that_are_no_readings_cost_more_than_their_bytes() -> None:
    assert message_cost(b"[" + b"0," * 999 + b"0]") == 999 * ITEM_COST_BYTES


def test_no_message_costs_more_than_may_come_at_once() -> None:
    assert message_cost(b"{" * MAX_BYTES) == message_cost(b"," * MAX_BYTES) == MAX_BYTES
