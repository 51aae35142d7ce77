from dataclasses import dataclass
from pathlib import Path

import redis

from fleet_infra.files import write_private
from fleet_infra.servers.base import NotReady, Process

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
maxmemory-policy noeviction
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
        """Write the configuration, which holds the password and is therefore ours only."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = CONFIG.format(
            port=self.port,
            folder=self.folder.absolute(),
            password=self.password,
            databases=self.databases,
            appendonly="yes" if self.durable else "no",
        )
        write_private(self.folder / "redis.conf", text)

    def processes(self) -> list[Process]:
        """The server itself."""
        command = ("redis-server", str(self.folder.absolute() / "redis.conf"))
        return [Process(self.name, command, directory=self.folder.absolute(), priority=10)]

    def check(self) -> None:
        """PING."""
        client = redis.Redis.from_url(self.url, socket_timeout=3)
        try:
            client.ping()
        except redis.RedisError as error:
            raise NotReady(f"redis on port {self.port}: {error!r}") from error
        finally:
            client.close()
