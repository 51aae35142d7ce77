"""Starting a process: the API with uvicorn."""

import gc
import resource
from collections.abc import Sequence
from typing import Any, cast

import uvicorn

from fleet_kit.http_protocol import FleetHttp
from fleet_kit.middleware import App
from fleet_kit.settings import ServiceSettings
from fleet_kit.websocket_protocol import FIRST_MESSAGE_BYTES, BoundedWebSocket

GRACE_SECONDS = 20
"""How long a stopping process may finish the requests that it has in hand."""


def serve(app: App, settings: ServiceSettings, *, websockets: bool = False) -> None:
    """Serve until SIGTERM, then finish what is in hand. `websockets`: whether there are any."""
    _allow_many_connections()
    # What exists now stays for good. Looked through again with every large body, it took a third of its time.
    gc.collect()
    gc.freeze()
    options = _options(settings.host, settings.port, settings.trusted_proxies, websockets)
    uvicorn.run(cast(Any, app), **options)


def server(
    app: App, host: str, port: int, trusted_proxies: Sequence[str] = (), *, websockets: bool = False
) -> uvicorn.Server:
    """A server to run inside a loop that already exists."""
    return uvicorn.Server(uvicorn.Config(cast(Any, app), **_options(host, port, trusted_proxies, websockets)))


def _allow_many_connections() -> None:
    """Each connection is an open file, of which many systems give a process 1,024 until it asks for more."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _options(host: str, port: int, trusted_proxies: Sequence[str], websockets: bool) -> dict[str, Any]:
    return {
        # Whoever connects from elsewhere is the client itself, whatever its headers say.
        "forwarded_allow_ips": list(trusted_proxies),
        "host": host,
        "port": port,
        "loop": "uvloop",
        "http": FleetHttp,
        "ws": BoundedWebSocket if websockets else "none",
        # Half a kilobyte that unpacks to a megabyte is not worth the bytes that compression saves.
        "ws_per_message_deflate": False,
        "ws_max_size": FIRST_MESSAGE_BYTES,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "timeout_keep_alive": 75,
        "backlog": 4096,
    }
