"""Roles, databases and migrations."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from fleet_infra.layout import Layout
from fleet_infra.secret_store import Secrets
from fleet_infra.servers.base import run_in_thread

DATABASES = ("signing", "device", "sim")


class MigrationFailed(Exception):
    """A service's migrations did not run; the text is the end of their output."""


def make_databases(admin_url: str, secrets: Secrets) -> list[str]:
    """One role and database for each service, closed to the others. Returns the names of those made now."""
    return run_in_thread(_make_databases(admin_url, secrets))


async def _make_databases(admin_url: str, secrets: Secrets) -> list[str]:
    connection = await asyncpg.connect(admin_url)
    try:
        return [name for name in DATABASES if await _make_database(connection, name, secrets)]
    finally:
        await connection.close()


async def _make_database(
    connection: "asyncpg.Connection[asyncpg.Record]", name: str, secrets: Secrets
) -> bool:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", name):
        password = getattr(secrets, f"postgres_{name}")
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    if await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        return False
    await connection.execute(f"CREATE DATABASE {name} OWNER {name}")
    await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    return True


def is_migrated(layout: Layout, name: str, environment: dict[str, str]) -> bool:
    """Whether the same code ran a service's migrations with the same settings."""
    return _is_marked(layout, name, _fingerprint(layout, name, environment))


def migrate(layout: Layout, name: str, environment: dict[str, str], *, fresh: bool) -> None:
    """Run a service's migrations, unless the same code did with the same settings on the same data."""
    fingerprint = _fingerprint(layout, name, environment)
    if not fresh and _is_marked(layout, name, fingerprint):
        return
    result = subprocess.run(
        [sys.executable, "-m", f"{name}_service.migrate"],
        env=os.environ | environment,
        cwd=layout.home,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise MigrationFailed(f"{name}_service.migrate failed:\n{(result.stderr or result.stdout)[-3000:]}")
    mark = _mark(layout, name)
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(fingerprint, encoding="utf-8")


def _mark(layout: Layout, name: str) -> Path:
    return layout.home / "migrated" / name


def _is_marked(layout: Layout, name: str, fingerprint: str) -> bool:
    mark = _mark(layout, name)
    return mark.exists() and mark.read_text(encoding="utf-8") == fingerprint


def _fingerprint(layout: Layout, name: str, environment: dict[str, str]) -> str:
    folder = layout.root / f"{name}-service" / "src"
    digest = hashlib.sha256(repr(sorted(environment.items())).encode())
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder)}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
