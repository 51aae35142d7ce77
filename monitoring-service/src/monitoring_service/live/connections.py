"""What the live feed needs of the protocol over which clients are connected."""

from typing import Any, Protocol


class ClientConnections(Protocol):
    """Sends to connected clients and ends connections."""

    async def emit(self, sids: list[str], event: str, data: Any) -> None:
        """Put an event into the clients' queues; it is encoded once."""

    def backlog(self, sid: str) -> int:
        """Packets that wait for the client."""

    async def drop(self, sid: str, *, abort: bool = False) -> None:
        """End the connection; `abort` does not wait for a client that does not read."""
