"""`make fuzz`: Schemathesis calls every API with what its OpenAPI document allows and forbids.

FUZZ_SECONDS (60) for each service, or for FUZZ_SERVICE alone. Any status that the document does not name is a
finding, as is a failure that is none of 501, 502 and 503. Schemathesis lives in an environment of its own.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from fleet_infra.layout import Layout
from fleet_infra.testing_fleet import scratch_fleet

from .attack.objects import furnish
from .attack.world import World
from .conftest import register
from .sim_support import Carrier

ROOT = Layout.of_clone().root
SERVICES = ("signing", "device", "sim", "monitoring")
SECONDS = os.environ.get("FUZZ_SECONDS", "60")
TOOL = [
    *(str(ROOT / ".venv/bin/uv"), "run", "--quiet", "--no-project", "--isolated"),
    *("--with-requirements", str(ROOT / "requirements/fuzz.txt"), "st"),
]
CONFIGURATION = """
[checks]
enabled = false
not_a_server_error = { enabled = true, expected-statuses = ["2xx", "3xx", "4xx", "501", "502", "503"] }
status_code_conformance.enabled = true
content_type_conformance.enabled = true
response_schema_conformance.enabled = true

# They end the login of the test itself.
[[operations]]
include-path-regex = "/logout$"
enabled = false
"""


async def prepare(fleet: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Token of an organisation's admin, and its objects by the name of the path parameter."""
    async with (
        httpx.AsyncClient(base_url=f"{fleet['gateway_url']}/api/v1", timeout=60) as http,
        httpx.AsyncClient(base_url=fleet["sandbox_url"], timeout=60) as sandbox,
    ):
        world = World(fleet, http, await register(fleet, http))
        await world.enter()
        await furnish(world, Carrier(sandbox))
        return world.owner.tokens["access_token"], world.objects


def run(fleet: dict[str, Any], service: str, token: str, objects: dict[str, str], folder: Path) -> int:
    """The exit code: 0 where nothing was found."""
    parameters = "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in objects.items())
    configuration = folder / "schemathesis.toml"
    configuration.write_text(f"{CONFIGURATION}\n[parameters]\n{parameters}")
    address = f"{fleet['gateway_url']}/api/v1/{service}/openapi.json"
    print(f"== {service}-service", flush=True)
    return subprocess.run(
        [
            *(*TOOL, "--config-file", str(configuration), "run", address),
            *("--max-time", SECONDS, "--header", f"Authorization: Bearer {token}", "--continue-on-failure"),
            *("--generation-database", "none", "--suppress-health-check", "all", "--warnings", "off"),
        ],
        cwd=folder,  # it keeps what it finds in the current folder
        check=False,
    ).returncode


def main() -> int:
    """1 if anything was found in any service."""
    chosen = os.environ.get("FUZZ_SERVICE")
    with scratch_fleet() as fleet, tempfile.TemporaryDirectory() as folder:
        token, objects = asyncio.run(prepare(fleet))
        services = [chosen] if chosen else SERVICES
        codes = [run(fleet, service, token, objects, Path(folder)) for service in services]
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
