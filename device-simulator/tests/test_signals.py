"""The values: repeatable, within physics, and what each kind of signal promises."""

import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from device_simulator.errors import CannotStart
from device_simulator.profiles import Blueprint, DevicesFile, Profile, Sensors, blueprints

HOUR = 3600.0


def sensors_of(signal: dict[str, Any], name: str = "one", seed: int = 1) -> Sensors:
    profile = Profile.model_validate({"type": "test", "signals": [signal]})
    return Sensors(Blueprint(name=name, profile=profile), seed, time_scale=1)


def values_of(signal: dict[str, Any], steps: int, seconds: float, metric: str = "m") -> list[float]:
    sensors = sensors_of(signal)
    return [sensors.read(seconds)[metric] for _ in range(steps)]


def test_the_same_seed_and_name_give_the_same_values() -> None:
    file = DevicesFile.read(None)
    for blueprint in blueprints(file, 8, "sim"):
        one, same = (Sensors(blueprint, 7, file.time_scale) for _ in range(2))
        other = Sensors(blueprint, 8, file.time_scale)
        readings = [one.read(1) for _ in range(50)]
        assert readings == [same.read(1) for _ in range(50)]
        assert readings != [other.read(1) for _ in range(50)]


def test_data_usage_grows_in_sessions() -> None:
    signal = {"kind": "sessions", "metric": "m", "idle_seconds": 600, "active_seconds": 120}
    used = values_of(signal | {"bytes_per_second": 1000, "background": 1}, steps=4000, seconds=10)

    idle, active = [b for b in used if b < 20], [b for b in used if b > 6000]
    assert len(idle) > len(active) > 200
    runs = [len(list(group)) for busy, group in itertools.groupby(used, lambda b: b > 6000) if busy]
    assert max(runs) > 5


def test_a_battery_drains_and_charges_within_its_bounds() -> None:
    signal = {
        "kind": "battery",
        "metric": "m",
        "drain_per_hour": 10,
        "charge_per_hour": 50,
        "low": 20,
        "high": 90,
    }
    levels = values_of(signal, steps=2000, seconds=60)

    assert 19 <= min(levels) < 25
    assert 85 < max(levels) <= 91


def test_a_battery_nobody_charges_only_drains() -> None:
    signal = {
        "kind": "battery",
        "metric": "m",
        "drain_per_hour": 10,
        "charge_per_hour": 0,
        "low": 0,
        "high": 100,
    }
    levels = values_of(signal, steps=2000, seconds=60)

    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == 0


def test_signal_strength_wanders_around_its_mean() -> None:
    levels = values_of({"kind": "radio", "metric": "m", "mean": -90, "spread": 6}, steps=5000, seconds=60)

    assert -94 < sum(levels) / len(levels) < -86
    assert -113 <= min(levels) < -95
    assert max(levels) <= -51


def test_a_daily_value_is_highest_at_its_hour() -> None:
    sensors = sensors_of(
        {"kind": "daily", "metric": "m", "mean": 20, "amplitude": 5, "peak_hour": 15, "noise": 0}
    )
    day = [sensors.read(HOUR / 4)["m"] for _ in range(96)]

    assert max(day) - min(day) == pytest.approx(10, abs=0.1)
    assert abs(day.index(max(day)) - day.index(min(day))) == pytest.approx(48, abs=1)


def test_a_cooled_box_stays_between_its_bounds() -> None:
    signal = {"kind": "cycle", "metric": "m", "low": 2, "high": 7, "period_seconds": 1000, "noise": 0}
    values = values_of(signal, steps=1000, seconds=10)

    assert (round(min(values)), round(max(values))) == (2, 7)


def test_a_counter_only_grows() -> None:
    totals = values_of(
        {"kind": "counter", "metric": "m", "per_hour": 100, "spread": 0.5}, steps=100, seconds=HOUR
    )

    assert totals == sorted(totals)
    assert (totals[-1] - totals[0]) / 99 == pytest.approx(100, rel=0.2)


def test_a_vehicle_moves_no_faster_than_it_drives() -> None:
    sensors = sensors_of(
        {"kind": "position", "latitude": 50, "longitude": 7, "spread_km": 10, "speed_kmh": 50}
    )
    fixes = [sensors.read(10) for _ in range(2000)]

    for before, after in itertools.pairwise(fixes):
        north = (after["latitude"] - before["latitude"]) * 111.2
        east = (after["longitude"] - before["longitude"]) * 111.2 * math.cos(math.radians(50))
        assert math.hypot(north, east) <= after["speed_kmh"] * 10 / 3600 + 0.001
    assert len({fix["latitude"] for fix in fixes}) > 500
    assert max(math.hypot((f["latitude"] - 50) * 111.2, (f["longitude"] - 7) * 71.5) for f in fixes) < 60


def test_more_devices_never_rename_the_first() -> None:
    file = DevicesFile.read(None)
    few, many = blueprints(file, 7, "sim"), blueprints(file, 500, "sim")

    assert many[:7] == few
    assert len({blueprint.name for blueprint in many}) == 500
    shares = [len([b for b in many if b.profile == profile]) / 500 for profile in file.profiles.values()]
    assert shares == [p.share / 10 for p in file.profiles.values()]


def test_one_profile_can_be_chosen() -> None:
    file = DevicesFile.read(None)

    assert {b.profile.type for b in blueprints(file.only("meter"), 20, "x")} == {"meter"}
    with pytest.raises(CannotStart, match="there is no profile 'boat'; there are: cold-chain, meter"):
        file.only("boat")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("profiles: {}", "profiles"),
        ("profiles: {a: {type: t, signals: [{kind: magic}]}}", "kind"),
        ("profiles: {a: {type: t, signals: [{kind: radio, metric: a.b, mean: -90, spread: 1}]}}", "metric"),
        ("profiles: [", "flow"),
        ("time_scale: 0", "time_scale"),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(tmp_path: Path, text: str, part: str) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text)

    with pytest.raises(CannotStart, match=rf"wrong\.yaml cannot be used.*(?s:.*){part}"):
        DevicesFile.read(wrong)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"absent\.yaml cannot be used"):
        DevicesFile.read(tmp_path / "absent.yaml")
