"""The whole fleet for tests, on free ports and in a temporary folder."""

import contextlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from fleet_infra import teardown
from fleet_infra.fleet import Fleet
from fleet_infra.layout import Layout
from fleet_infra.progress import Steps
from fleet_infra.servers.ports import free_ports
from fleet_infra.settings import FleetSettings

OFFLINE_AFTER_SECONDS = 15
"""Of devices in the fleet of the tests, which wait for it."""


def scratch_settings(**changes: Any) -> FleetSettings:
    """Settings on free ports; the environment and `.env` have no say in them."""
    names = [name for name in FleetSettings.model_fields if name.endswith("_port")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    defaults = {name: field.default for name, field in FleetSettings.model_fields.items()}
    return FleetSettings.model_validate(defaults | ports | changes)


@contextlib.contextmanager
def scratch_fleet() -> Iterator[dict[str, Any]]:
    """Content of access.json of a whole fleet without simulator; FLEET_ACCESS names a running one instead."""
    running = os.environ.get("FLEET_ACCESS")
    if running:
        yield json.loads(Path(running).read_text(encoding="utf-8"))
        return
    layout = Layout(Layout.of_clone().root, Path(tempfile.mkdtemp(prefix="fleet-test-")) / ".fleet")
    settings = scratch_settings(sim_devices=0, device_offline_after_seconds=OFFLINE_AFTER_SECONDS)
    # Half of the default, since tests wait for it; longer than the 20 s for which the carrier has to answer.
    settings.of_services["SMS_SETTLED_SECONDS"] = "30"
    try:
        with Steps(Console(file=io.StringIO())) as steps:
            # On a busy machine it takes minutes, which is no test's failure.
            yield Fleet(layout, settings, start_seconds=600).up(steps)
    finally:
        teardown.reset(layout)
        shutil.rmtree(layout.home.parent, ignore_errors=True)
