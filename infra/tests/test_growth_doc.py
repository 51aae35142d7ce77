"""docs/architecture.md names everything that is stored, and settings that exist."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
SECTION = DOCUMENT.split("\n## What grows, and what ends it\n")[1].split("\n## ")[0]
LINES = re.findall(r"^\|(.*)\|$", SECTION, re.MULTILINE)[2:]
ROWS = [[cell.strip() for cell in line.split("|")] for line in LINES]
WITH_POSTGRES = ("signing", "device", "sim")
SERVICES = (*WITH_POSTGRES, "monitoring")


def services_of(cell: str) -> tuple[str, ...]:
    return WITH_POSTGRES if cell == "all but monitoring" else tuple(cell.split(", "))


def named(service: str) -> list[str]:
    rows = (row for row in ROWS if service in services_of(row[0]))
    return [name for row in rows for name in re.findall(r"`(\w+)`", row[1])]


def stored(service: str) -> set[str]:
    """Tables of the metadata that the migrations make, or the collections of the store."""
    if service == "monitoring":
        store = importlib.import_module("monitoring_service.store.client").Store
        return {name for name, value in vars(store).items() if isinstance(value, property)}
    source = ROOT / f"{service}-service/src"
    for path in source.rglob("models.py"):
        importlib.import_module(".".join(path.relative_to(source).with_suffix("").parts))
    module, name = ("platform.database", "Base") if service == "sim" else ("base", "Base")
    return set(getattr(importlib.import_module(f"{service}_service.{module}"), name).metadata.tables)


@pytest.mark.parametrize("service", SERVICES)
def test_it_says_of_everything_stored_what_ends_it(service: str) -> None:
    assert sorted(named(service)) == sorted(stored(service))


@pytest.mark.parametrize("row", ROWS, ids=[row[1] for row in ROWS])
def test_its_settings_exist(row: list[str]) -> None:
    for cell in row[3:]:
        for name, other in re.findall(r"`([A-Z][A-Z0-9_]+)`(?: of (\w+)-service)?", cell):
            services = (other,) if other else services_of(row[0])
            assert any(has_setting(service, name) for service in services), name


def has_setting(service: str, name: str) -> bool:
    module = importlib.import_module(f"{service}_service.settings")
    return any(name.lower() in getattr(value, "model_fields", {}) for value in vars(module).values())
