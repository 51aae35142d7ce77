"""The service's commands as processes of their own."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from fleet_kit.testing import eventually
from signing_service.settings import SigningSettings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: SigningSettings, **more: object) -> dict[str, str]:
    """What a supervisor would give the process."""
    named = {
        "ENVIRONMENT": "production",
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "REDIS_URL": settings.redis_url.get_secret_value(),
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "SIGNING_KEY_FILE": str(settings.signing_key_file),
        "PLATFORM_ADMIN_EMAIL": settings.platform_admin_email,
        "PLATFORM_ADMIN_PASSWORD": settings.platform_admin_password.get_secret_value(),
        "REGISTRATION": settings.registration,
        "REGISTRATIONS_PER_DAY": str(settings.registrations_per_day),
        "LOG_LEVEL": "WARNING",
    }
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    return kept | named | {name: str(value) for name, value in more.items()}


async def ended(module: str, env: dict[str, str]) -> tuple[int, str]:
    """Exit code and standard error of a command that ends by itself."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=env, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, errors.decode()


@asynccontextmanager
async def running(module: str, port: int, env: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """The process, once it is healthy; ended by SIGTERM, which it must obey within 10 s."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, env=env)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
        ) as client:

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
