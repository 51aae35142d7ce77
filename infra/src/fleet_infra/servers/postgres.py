"""Postgres as Debian packages it. It refuses to run as root: its user is then `postgres`."""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from fleet_infra.servers.accounts import as_user
from fleet_infra.servers.base import NotReady, Process, run_in_thread
from fleet_infra.servers.outside import move_outside, remove_data

SYSTEM_USER = "postgres"
SETTINGS = {
    "unix_socket_directories": "''",
    "max_connections": "300",
    "shared_buffers": "96MB",
    "wal_compression": "on",
    "max_wal_size": "512MB",
    "random_page_cost": "1.1",
    "password_encryption": "'scram-sha-256'",
    "log_min_messages": "warning",
    "log_line_prefix": "'%m [%p] %d '",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "idle_in_transaction_session_timeout": "'60s'",
}


def postgres_bin() -> Path | None:
    """Folder of the newest installed Postgres' programs, or None."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda path: int(path.parent.name))
    initdb = shutil.which("initdb")
    return Path(initdb).resolve().parent if initdb else None


@dataclass
class PostgresServer:
    """One cluster in `folder`, on a loopback port; `durable=False` skips fsync for tests."""

    folder: Path
    port: int
    password: str
    durable: bool = True
    name: str = "postgres"

    @property
    def admin_url(self) -> str:
        """Address of the superuser's database."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def user(self) -> str | None:
        """System user the cluster belongs to; None means our own."""
        return SYSTEM_USER if os.geteuid() == 0 else None

    def prepare(self) -> None:
        """Make the cluster where there is none; write its settings."""
        if not (self.folder / "PG_VERSION").exists():
            self._make_folder()
            self._initdb()
        self._configure()

    def processes(self) -> list[Process]:
        """The postmaster; SIGINT is its fast shutdown."""
        command = (f"{self._bin()}/postgres", "-D", str(self.folder.resolve()))
        return [
            Process(
                self.name,
                command,
                directory=Path("/"),
                environment={"PGDATA": str(self.folder.resolve())},
                user=self.user,
                stop_signal="INT",
                stop_seconds=30,
                priority=10,
                files=(self.folder.resolve() / "postgresql.auto.conf",),
            )
        ]

    def check(self) -> None:
        """Log in."""
        run_in_thread(self._login())

    async def _login(self) -> None:
        try:
            connection = await asyncpg.connect(self.admin_url, timeout=3)
        except (OSError, asyncpg.PostgresError, TimeoutError) as error:
            raise NotReady(f"postgres on port {self.port}: {error!r}") from error
        await connection.close()

    def _bin(self) -> Path:
        folder = postgres_bin()
        if folder is None:
            raise NotReady("Postgres is not installed: install the Debian package postgresql")
        return folder

    def _make_folder(self) -> None:
        remove_data(self.folder)
        if self.user is None:
            self.folder.mkdir(mode=0o700, parents=True)
        else:
            move_outside(self.folder, self.user)

    def _initdb(self) -> None:
        data = self.folder.resolve()
        with tempfile.NamedTemporaryFile("w", dir="/tmp", prefix="fleet-pw-") as pwfile:
            pwfile.write(self.password)
            pwfile.flush()
            if self.user:
                owner = pwd.getpwnam(SYSTEM_USER)
                os.chown(pwfile.name, owner.pw_uid, owner.pw_gid)
            command = [f"{self._bin()}/initdb", "-D", str(data), "-U", "postgres", "-A", "scram-sha-256"]
            command += ["--pwfile", pwfile.name, "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
            command += [] if self.durable else ["--no-sync"]
            result = run_as(self.user, command)
        if result.returncode != 0:
            raise NotReady(f"initdb failed: {result.stderr.strip() or result.stdout.strip()}")

    def _configure(self) -> None:
        settings = SETTINGS | {"port": str(self.port), "listen_addresses": "'127.0.0.1'"}
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        text = "".join(f"{key} = {value}\n" for key, value in settings.items())
        target = self.folder / "postgresql.auto.conf"
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def run_as(user: str | None, command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, without any group of ours if as another user; its output is kept."""
    return subprocess.run(
        [*as_user(user), *command],
        capture_output=True,
        text=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
        check=False,
    )
