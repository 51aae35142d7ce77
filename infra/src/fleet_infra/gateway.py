"""nginx: renders the gateway's templates and says how to run it, beside a distribution's own."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import swagger_ui_bundle

from fleet_infra.layout import Layout
from fleet_infra.servers import Process
from fleet_infra.servers.accounts import can_read, group_of, web_account
from fleet_infra.servers.outside import is_outside, move_outside
from fleet_infra.settings import FleetSettings

WORLD_READABLE = 0o755
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


def real_ip(trusted_proxies: Sequence[str]) -> str:
    """nginx's directives that take the client's address from X-Forwarded-For of these networks only.

    Of several addresses in it, the last that is not a proxy's own: those before it are what a client says.
    """
    if not trusted_proxies:
        return ""
    sources = "".join(f"set_real_ip_from {network}; " for network in trusted_proxies)
    return f"{sources}real_ip_header X-Forwarded-For; real_ip_recursive on;"


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
    # Root's own process opens port and logs; the workers read what strangers send.
    account = web_account()
    user = f"user {account} {group_of(account)};\n" if account else ""
    main = MAIN.format(user=user, folder=folder, includes="\n".join(includes))
    (folder / "nginx.conf").write_text(main, encoding="utf-8")


def nginx_process(layout: Layout) -> Process:
    """nginx in the foreground; QUIT lets it finish the requests it has."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or "nginx"
    folder = layout.nginx.absolute()
    command = (program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"))
    files = tuple(sorted(folder.glob("*.conf")))
    return Process("nginx", command, folder, stop_signal="QUIT", stop_seconds=10, files=files)


@dataclass(frozen=True)
class _Folders:
    """What the workers need: pages, and a place for bodies that are too large for memory."""

    www: Path
    swagger: Path
    run: Path


def _folders(layout: Layout) -> _Folders:
    """Where the workers find it: root's have another user, who may not be able to enter the clone."""
    found = _Folders(layout.root / "gateway" / "www", swagger_root(), layout.nginx.absolute())
    account = web_account()
    if account is None:
        return found
    folder = layout.home / "gateway"
    if not is_outside(folder):
        move_outside(folder, "root")
    run = folder.resolve()
    run.chmod(WORLD_READABLE)
    if can_read(account, (found.www / "index.html", found.swagger / "swagger-ui.css")):
        return replace(found, run=run)
    return _Folders(_copy(found.www, run / "www"), _copy(found.swagger, run / "swagger"), run)


def _copy(source: Path, target: Path) -> Path:
    shutil.copytree(source, target, dirs_exist_ok=True)
    for path in (target, *target.rglob("*")):
        path.chmod(WORLD_READABLE if path.is_dir() else 0o644)
    return target


def _values(layout: Layout, settings: FleetSettings) -> dict[str, str]:
    folders = _folders(layout)
    address = f"[{settings.bind_address}]" if ":" in settings.bind_address else settings.bind_address
    return {
        "GATEWAY_LISTEN": f"{address}:{settings.gateway_port}",
        "REAL_IP": real_ip(settings.trusted_proxies()),
        "SIGNING_UPSTREAM": f"127.0.0.1:{settings.signing_port}",
        "DEVICE_UPSTREAM": f"127.0.0.1:{settings.device_port}",
        "SIM_UPSTREAM": f"127.0.0.1:{settings.sim_port}",
        "MONITORING_UPSTREAM": f"127.0.0.1:{settings.monitoring_port}",
        "WWW_ROOT": str(folders.www),
        "SWAGGER_ROOT": str(folders.swagger),
        "RUN_DIR": str(folders.run),
    }
