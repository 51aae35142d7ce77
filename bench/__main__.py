"""`make bench`: measures a fleet of its own, on free ports, and prints a table.

`python -m bench ingest-single live` measures only those rows.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import api, device_revocation, ingest, live, revocation, sims, start, streamer
from bench.access import Fleet, Row
from fleet_infra import fleet as infra
from fleet_infra import teardown
from fleet_infra.layout import Layout
from fleet_infra.progress import Steps
from fleet_infra.testing_fleet import scratch_settings

ROWS: dict[str, Callable[[Fleet], Row]] = {
    "ingest-single": ingest.single,
    "ingest-batch": ingest.batch,
    "live": live.run,
    "api": api.run,
    "revocation": revocation.run,
    "device-revocation": device_revocation.run,
    "sim-list": sims.run,
    "streamer": streamer.run,
}
UNLIMITED = dict.fromkeys(("telemetry_bytes_per_second", "device_bytes_per_second"), 2**40)
"""What the fleet can take is measured, not what it allows one organisation."""
NAMES = (*ROWS, "start")


def main() -> int:
    """Measure and print; 1 when a goal was missed."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(NAMES)}; without any, all")
    wanted = parser.parse_args().rows or list(NAMES)
    if unknown := set(wanted) - set(NAMES):
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    console = Console()
    layout = Layout(Layout.of_clone().root, Path(tempfile.mkdtemp(prefix="fleet-bench-")) / ".fleet")
    try:
        rows = _measure(wanted, layout, console)
    finally:
        teardown.reset(layout)
        shutil.rmtree(layout.home.parent, ignore_errors=True)
    _print(rows, console)
    return 0 if all(row.reached for row in rows) else 1


def _measure(wanted: list[str], layout: Layout, console: Console) -> list[Row]:
    rows: list[Row] = []
    settings = scratch_settings(sim_devices=0, **UNLIMITED)
    fleet = infra.Fleet(layout, settings)
    with Steps(console) as steps:
        fleet.up(steps)
    for name in wanted:
        if name in ROWS:
            console.print(f"measuring {name} …")
            rows.append(ROWS[name](Fleet.open(layout.access_file, settings.monitoring_worker_port)))
            console.print(f"  {rows[-1].figure} ({rows[-1].raw}), ratio {rows[-1].ratio}")
    if "start" in wanted:
        console.print("measuring start …")
        rows.append(start.run(layout, settings.model_copy(update={"sim_devices": 25})))
    return rows


def _print(rows: list[Row], console: Console) -> None:
    table = Table("benchmark", "figure", "raw limit", "ratio", "goal", "")
    for row in rows:
        table.add_row(row.name, row.figure, row.raw, row.ratio, row.reach, "✓" if row.reached else "missed")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
