import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
import pymongo.errors

from fleet_infra.servers.base import NotReady, Process


@dataclass
class MongoServer:
    """SecantusDB, which speaks MongoDB's protocol; commits are synced, so what it acknowledged is on disk."""

    folder: Path
    port: int
    durable: bool = True
    cache: str = "1G"
    """At most so much memory for pages. With 256M, some 30 MB of large documents in a few seconds made every
    write wait for eviction: for 0.7 s, on a slow machine for more than a minute."""
    name: str = "mongo"
    is_fresh: bool = False
    """Whether `prepare` found no data."""

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"

    def prepare(self) -> None:
        """Make the folder."""
        self.is_fresh = not self.folder.exists()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def processes(self) -> list[Process]:
        """The server itself."""
        program = Path(sys.prefix) / "bin" / "secantusd-py"
        command = [str(program), "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--storage-path", str(self.folder.absolute()), "--cache-size", self.cache]
        command += ["--log-level", "WARNING", *(["--sync-on-commit"] if self.durable else [])]
        return [
            Process(self.name, tuple(command), directory=self.folder.absolute(), stop_seconds=30, priority=10)
        ]

    def check(self) -> None:
        """Ping."""
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
            self.url, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000
        )
        try:
            client.admin.command("ping")
        except pymongo.errors.PyMongoError as error:
            raise NotReady(f"mongo on port {self.port}: {error}") from error
        finally:
            client.close()
