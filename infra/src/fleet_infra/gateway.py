"""nginx: renders the gateway's templates and says how to run it, beside a distribution's own."""

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import swagger_ui_bundle

from fleet_infra.layout import Layout
from fleet_infra.servers import Process
from fleet_infra.settings import FleetSettings

VARIABLE = re.compile(r"\$\{([A-Z][A-Z_]*)\}")

MAIN = """daemon off;
{user}pid {folder}/nginx.pid;
error_log stderr warn;
worker_processes auto;
worker_shutdown_timeout 3s;
events {{ worker_connections 8192; }}
http {{
{includes}
}}
"""


def render(text: str, values: Mapping[str, str]) -> str:
    """Replace `${UPPER_CASE}`; nginx's own variables stay. Raises KeyError for an unknown name."""
    return VARIABLE.sub(lambda found: values[found.group(1)], text)


def swagger_root() -> Path:
    """Folder of the Swagger UI distribution."""
    vendor = Path(swagger_ui_bundle.__file__).parent / "vendor"
    return next(vendor.glob("swagger-ui-*"))


def write_configuration(layout: Layout, settings: FleetSettings) -> None:
    """Render every template and write nginx's main file."""
    folder = layout.nginx.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    values = _values(layout, settings)
    includes = []
    for template in sorted((layout.root / "gateway" / "templates").glob("*.template")):
        target = folder / template.name.removesuffix(".template")
        target.write_text(render(template.read_text(encoding="utf-8"), values), encoding="utf-8")
        includes.append(f'    include "{target}";')
    # Started by root, nginx would give its workers to an account that cannot enter the clone.
    user = "user root;\n" if os.geteuid() == 0 else ""
    main = MAIN.format(user=user, folder=folder, includes="\n".join(includes))
    (folder / "nginx.conf").write_text(main, encoding="utf-8")


def nginx_process(layout: Layout) -> Process:
    """nginx in the foreground; QUIT lets it finish the requests it has."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "nginx"
    folder = layout.nginx.absolute()
    command = (program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"))
    return Process("nginx", command, folder, stop_signal="QUIT", stop_seconds=10)


def _values(layout: Layout, settings: FleetSettings) -> dict[str, str]:
    address = f"[{settings.bind_address}]" if ":" in settings.bind_address else settings.bind_address
    return {
        "GATEWAY_LISTEN": f"{address}:{settings.gateway_port}",
        "SIGNING_UPSTREAM": f"127.0.0.1:{settings.signing_port}",
        "DEVICE_UPSTREAM": f"127.0.0.1:{settings.device_port}",
        "SIM_UPSTREAM": f"127.0.0.1:{settings.sim_port}",
        "MONITORING_UPSTREAM": f"127.0.0.1:{settings.monitoring_port}",
        "WWW_ROOT": str(layout.root / "gateway" / "www"),
        "SWAGGER_ROOT": str(swagger_root()),
        "RUN_DIR": str(layout.nginx.absolute()),
    }
