"""Every test may use the fleet's real servers."""

from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["fleet_infra.testing", "fleet_infra.testing_browser", "fleet_infra.testing_openapi"]


class Divided(LoadScopeScheduling):
    """With `-n`: what shares a file's fixtures stays in one process. `testpaths` names the longest first."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        if path.startswith(("gateway/", "infra/")):
            return "gateway and infra"
        if path.startswith("tests/"):
            # Each process brings up a fleet for all of its tests: two share the work, more would not pay.
            return "fleet: sims" if path.startswith("tests/test_sim_") else "fleet"
        return path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Any:
    """Who decides which process runs what."""
    return Divided(config, log)
