from dataclasses import dataclass
from pathlib import Path

import redis

from fleet_infra.files import write_private
from fleet_infra.servers.accounts import ACCOUNT
from fleet_infra.servers.base import NotReady, Process
from fleet_infra.servers.outside import give, is_outside, settle

FULL = "maxmemory 160mb\nmaxmemory-policy noeviction\n"
"""When it is full Redis refuses writes, since evicting could take a revoked token. Its container has 256 MB.

The caches have a fixed number of slots and leave the rest of it free; who writes has another way.
"""
CONFIG = """bind 127.0.0.1
port {port}
dir {folder}
requirepass {password}
databases {databases}
daemonize no
protected-mode yes
save ""
appendonly {appendonly}
appendfsync everysec
loglevel notice
"""


@dataclass
class RedisServer:
    """One Redis in `folder`; `durable` keeps an append-only file."""

    folder: Path
    port: int
    password: str
    durable: bool = True
    databases: int = 16
    name: str = "redis"

    @property
    def url(self) -> str:
        """Address of database 0."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def prepare(self) -> None:
        """Write the configuration, which holds the password and is therefore its user's only."""
        account = settle(self.folder, self.port)
        self.folder.mkdir(parents=True, exist_ok=True)
        text = FULL + CONFIG.format(
            port=self.port,
            folder=self.folder.resolve(),
            password=self.password,
            databases=self.databases,
            appendonly="yes" if self.durable else "no",
        )
        write_private(self.folder / "redis.conf", text)
        if account is not None:
            give(self.folder.resolve(), account)

    def processes(self) -> list[Process]:
        """The server itself."""
        folder = self.folder.resolve()
        configuration = folder / "redis.conf"
        command = ("redis-server", str(configuration))
        user = ACCOUNT if is_outside(self.folder) else None
        return [Process(self.name, command, directory=folder, user=user, priority=10, files=(configuration,))]

    def check(self) -> None:
        """PING."""
        client = redis.Redis.from_url(self.url, socket_timeout=3)
        try:
            client.ping()
        except redis.RedisError as error:
            raise NotReady(f"redis on port {self.port}: {error!r}") from error
        finally:
            client.close()
