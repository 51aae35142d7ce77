import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
import pymongo.errors

from fleet_infra.files import write_private
from fleet_infra.servers.accounts import ENVIRONMENT, as_user, python_account
from fleet_infra.servers.base import NotReady, Process
from fleet_infra.servers.outside import give, is_outside, settle
from fleet_infra.servers.ports import accepts, free_port

USER = "fleet"
"""As in docker-compose.yml."""
USER_EXISTS = 51003
OPEN_SECONDS = 60.0
"""How long the server may take to open its data while its user is made."""
CLOSE_SECONDS = 60.0
"""And to close them afterwards."""

Client = pymongo.MongoClient[dict[str, Any]]


@dataclass
class MongoServer:
    """SecantusDB, which speaks MongoDB's protocol; commits are synced, so what it acknowledged is on disk.

    Without a password (a server that somebody else started) it is asked without a login.
    """

    folder: Path
    port: int
    password: str | None = None
    durable: bool = True
    cache: str = "1G"
    """At most so much memory for pages. With 256M, some 30 MB of large documents in a few seconds made every
    write wait for eviction: for 0.7 s, on a slow machine for more than a minute."""
    name: str = "mongo"
    is_fresh: bool = False
    """Whether `prepare` found no data."""

    @property
    def url(self) -> str:
        """Address of the server, with its login."""
        options = "authSource=admin&directConnection=true" if self.password else "directConnection=true"
        login = f"{USER}:{self.password}@" if self.password else ""
        return f"mongodb://{login}127.0.0.1:{self.port}/?{options}"

    def prepare(self) -> None:
        """Make the folder, and the user where the data have none or one with another password."""
        self.is_fresh = not self.folder.exists()
        if python_account() is not None:
            settle(self.folder, self.port)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._user is not None:
            give(self.folder.resolve(), self._user)
        if self.password is not None:
            self._settle_login(self.password)

    @property
    def _user(self) -> str | None:
        return python_account() if is_outside(self.folder) else None

    def _settle_login(self, password: str) -> None:
        made, wanted = self.folder / "login", hashlib.sha256(password.encode()).hexdigest()
        if not made.exists() or made.read_text(encoding="utf-8") != wanted:
            self._make_user(password)
            write_private(made, wanted)

    def processes(self) -> list[Process]:
        """The server itself."""
        command, folder = (*self._command(self.port), "--auth"), self.folder.resolve()
        environment = ENVIRONMENT if self._user else {}
        return [Process(self.name, command, folder, environment, self._user, stop_seconds=30, priority=10)]

    def check(self) -> None:
        """Ask for the databases, which needs the login."""
        with _client(self.url) as client:
            try:
                client.list_database_names()
            except pymongo.errors.PyMongoError as error:
                raise NotReady(f"mongo on port {self.port}: {error}") from error

    def _command(self, port: int) -> list[str]:
        program = Path(sys.prefix) / "bin" / "secantusd-py"
        command = [str(program), "--host", "127.0.0.1", "--port", str(port)]
        command += ["--storage-path", str(self.folder.resolve()), "--cache-size", self.cache]
        return [*command, "--log-level", "WARNING", *(["--sync-on-commit"] if self.durable else [])]

    def _make_user(self, password: str) -> None:
        with self._without_login() as client:
            user: dict[str, Any] = {"pwd": password, "roles": ["root"]}
            try:
                client.admin.command({"createUser": USER, **user})
            except pymongo.errors.OperationFailure as error:
                if error.code != USER_EXISTS:
                    raise
                client.admin.command({"updateUser": USER, **user})

    @contextlib.contextmanager
    def _without_login(self) -> Iterator[Client]:
        """A client of the server without --auth, the only way to make its first user.

        It is up for a moment on a port that nobody knows; where the server of an earlier version, which had
        no login, still runs, it is that one.
        """
        if accepts(self.port):
            with _client(f"mongodb://127.0.0.1:{self.port}/?directConnection=true") as client:
                yield client
            return
        port = free_port()
        command = [*as_user(self._user), *self._command(port)]
        environment = os.environ | (ENVIRONMENT if self._user else {})
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd="/", env=environment)
        try:
            with _client(f"mongodb://127.0.0.1:{port}/?directConnection=true") as client:
                _wait(client, process)
                yield client
        finally:
            process.terminate()
            try:
                process.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:  # anybody could write there as long as it is up
                process.kill()
                process.wait()


def _client(url: str) -> Client:
    return pymongo.MongoClient(url, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000)


def _wait(client: Client, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + OPEN_SECONDS
    while True:
        try:
            client.admin.command("ping")
        except pymongo.errors.PyMongoError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NotReady(f"mongo did not open its data: {error}") from error
        else:
            return
