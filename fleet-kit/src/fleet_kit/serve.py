"""Starting a process: the API with uvicorn."""

import gc
from typing import Any, cast

import uvicorn

from fleet_kit.middleware import App
from fleet_kit.settings import ServiceSettings

GRACE_SECONDS = 20
"""How long a stopping process may finish the requests that it has in hand."""


def serve(app: App, settings: ServiceSettings) -> None:
    """Serve until SIGTERM, then finish what is in hand."""
    # What exists now stays for good. Looked through again with every large body, it took a third of its time.
    gc.collect()
    gc.freeze()
    uvicorn.run(cast(Any, app), **_options(settings.host, settings.port))


def server(app: App, host: str, port: int) -> uvicorn.Server:
    """A server to run inside a loop that already exists."""
    return uvicorn.Server(uvicorn.Config(cast(Any, app), **_options(host, port)))


def _options(host: str, port: int) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "websockets-sansio",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": GRACE_SECONDS,
        "timeout_keep_alive": 75,
        "backlog": 4096,
    }
