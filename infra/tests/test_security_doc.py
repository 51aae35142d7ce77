"""What docs/security.md says is so: the tests that it names exist, and the limits have these values."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TESTS = sorted(set(re.findall(r"`([\w/.-]+\.py)::(test_\w+)`", DOCUMENT)))
ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LIMITS = ROW.findall(DOCUMENT.split("\n## Limits\n")[1].split("\n## ")[0])[1:]
SETTING = re.compile(r"`([A-Z0-9_]+)` of (\w+)-service$")
CONSTANT = re.compile(r"`([a-z_.]+)\.([A-Z0-9_]+)`$")
LINE = re.compile(r"`([^`]+)` in \[[^\]]+\]\(\.\./([^)]+)\)$")
UNITS = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


@pytest.mark.parametrize(("file", "name"), TESTS, ids="::".join)
def test_the_tests_that_it_names_exist(file: str, name: str) -> None:
    source = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {name}\(", source, re.MULTILINE)


@pytest.mark.parametrize(("limit", "value", "place"), LIMITS, ids=[row[0] for row in LIMITS])
def test_the_limits_are_what_it_says(limit: str, value: str, place: str) -> None:
    if line := LINE.match(place):
        text, file = line.groups()
        configuration = " ".join((ROOT / file).read_text(encoding="utf-8").split())
        assert text in configuration
        assert f"{_number(value):g}" in re.findall(r"\d+", text)
    elif setting := SETTING.match(place):
        assert _default(*setting.groups()) == _number(value)
    else:
        constant = CONSTANT.match(place)
        assert constant, f"{limit}: neither a setting, nor a constant, nor a line of a file"
        module, name = constant.groups()
        assert _constant(getattr(importlib.import_module(module), name)) == _number(value)


def test_it_names_tests_and_limits_at_all() -> None:
    assert len(TESTS) > 20
    assert len(LIMITS) > 20
    assert {f"API{number}" for number in range(1, 11)} <= set(
        re.findall(r"^\| (API\d+) ", DOCUMENT, re.MULTILINE)
    )


def _number(value: str) -> float:
    """The number that a value begins with, in its smallest unit."""
    number, *unit = value.split()
    return float(number.replace(",", "")) * UNITS.get(unit[0] if unit else "", 1)


def _default(name: str, service: str) -> Any:
    module = importlib.import_module(f"{service}_service.settings")
    for settings in vars(module).values():
        fields = getattr(settings, "model_fields", {})
        if name.lower() in fields:
            return fields[name.lower()].default
    raise AssertionError(f"{service}-service has no setting {name}")


def _constant(value: Any) -> Any:
    """The value, or the only one of a dictionary's."""
    if isinstance(value, dict):
        (value,) = value.values()
    return value
