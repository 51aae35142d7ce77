"""Every test may use the fleet's real servers."""

from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["fleet_infra.testing", "fleet_infra.testing_fleet"]


class Divided(LoadScopeScheduling):
    """With `-n`: what shares a file's fixtures stays in one process, the largest share begins first."""

    TOGETHER = frozenset({"tests", "gateway", "infra"})
    """Folders whose tests run one after the other: they start whole fleets and judge times."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::", 1)[0]
        return "fleet" if path.split("/", 1)[0] in self.TOGETHER else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Any:
    """Who decides which process runs what."""
    return Divided(config, log)
