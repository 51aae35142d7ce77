"""The service's commands as processes of their own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

import httpx

from device_service.settings import DeviceSettings
from fleet_kit.testing import eventually


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: DeviceSettings, **more: object) -> dict[str, str]:
    named = {
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "DEVICES_VHOST": settings.devices_vhost,
        "LOG_LEVEL": "WARNING",
        "BROKER_MANAGEMENT_URL": settings.broker_management_url,
        "BROKER_MANAGEMENT_USER": settings.broker_management_user,
        "BROKER_MANAGEMENT_PASSWORD": settings.broker_management_password.get_secret_value(),
    }
    return dict(os.environ) | named | {name: str(value) for name, value in more.items()}


async def command(
    module: str, env: dict[str, str], output: IO[bytes] | None = None
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=env, stdout=output, stderr=output
    )


@asynccontextmanager
async def running(
    module: str, port: int, env: dict[str, str], output: IO[bytes] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """The process, once it is healthy; ended by SIGTERM, which it must obey within 10 s."""
    process = await command(module, env, output)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:

            async def healthy() -> bool:
                try:
                    return (await client.get("/health")).status_code == 200
                except httpx.HTTPError:
                    return False

            await eventually(healthy, timeout=90)
            yield client
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
