"""Every test may use the fleet's real servers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["fleet_infra.testing", "fleet_infra.testing_fleet"]

ROOT = Path(__file__).parent
TOGETHER = frozenset({"tests", "gateway", "infra"})
"""Folders whose tests run one after the other: they start whole fleets and judge times."""


@pytest.hookimpl(wrapper=True)  # before anybody reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    """With `-n`, keep what shares fixtures in one process, and begin with what takes longest."""
    for item in items:
        path = item.path.relative_to(ROOT)
        together = path.parts[0] in TOGETHER
        item.add_marker(pytest.mark.xdist_group("fleet" if together else str(path)))
    items.sort(key=lambda item: item.path.relative_to(ROOT).parts[0] not in TOGETHER)
    yield
