"""Row api: requests a second of `GET /api/v1/devices/{id}` through the gateway."""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.access import Fleet, Row
from bench.rounds import compare
from fleet_infra import gateway
from fleet_infra.layout import Layout
from fleet_infra.servers.outside import remove_data
from fleet_infra.testing_fleet import scratch_settings

SECONDS = 8
CONNECTIONS = 32
REACH = 0.5


def run(fleet: Fleet) -> Row:
    """The device's route beside an empty FastAPI route behind the same nginx configuration."""
    device = fleet.devices(1)[0]
    with _empty_behind_nginx() as base:
        compared = compare(
            lambda: _wrk(f"{fleet.api}/devices/{device.id}", fleet.headers),
            lambda: _wrk(f"{base}/api/v1/devices/{device.id}", fleet.headers),
        )
    return compared.row("api", "requests/s", REACH)


def _wrk(url: str, headers: dict[str, str]) -> float:
    assert httpx.get(url, headers=headers).status_code == 200
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *given, url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in output, output
    found = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert found, output
    return float(found[1])


@contextmanager
def _empty_behind_nginx() -> Iterator[str]:
    """The empty application behind the gateway's own configuration, on free ports."""
    with tempfile.TemporaryDirectory() as folder:
        settings = scratch_settings()
        layout = Layout(Layout.of_clone().root, Path(folder))
        gateway.write_configuration(layout, settings)
        _lift_limit(layout.nginx)
        port = settings.gateway_port
        app = subprocess.Popen([sys.executable, "-m", "bench.empty_app", str(settings.device_port)])
        nginx = subprocess.Popen(gateway.nginx_process(layout).command, stdout=subprocess.DEVNULL)
        try:
            _wait(f"http://127.0.0.1:{port}/api/v1/devices/x")
            yield f"http://127.0.0.1:{port}"
        finally:
            for process in (nginx, app):
                process.terminate()
                process.wait(10)
            remove_data(layout.home / "gateway")


def _lift_limit(folder: Path) -> None:
    """One address may send 8,000 requests/s through the gateway; an empty route can answer more."""
    for file in folder.glob("*.conf"):
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("rate=8000r/s", "rate=1000000r/s"), encoding="utf-8")


def _wait(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise TimeoutError(url)
