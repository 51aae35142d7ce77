from collections.abc import Sequence
from datetime import datetime

from fleet_kit.scope import EVERYTHING, Scope
from monitoring_service.rejected.metrics import REJECTED
from monitoring_service.rejected.models import RejectedMessage
from monitoring_service.rejected.repository import RejectedRepository
from monitoring_service.store.client import Document, Store, StoreError
from monitoring_service.store.inserts import StoreUnavailable


class RejectedQueries:
    """What one may read of the rejected messages."""

    def __init__(self, store: Store, scope: Scope) -> None:
        self._repository = RejectedRepository(store, scope)

    async def page(
        self, device_id: str | None, before: tuple[datetime, str] | None, size: int
    ) -> tuple[list[Document], bool]:
        """The newest ones from that position on, and whether there are more."""
        rows = await self._repository.page(device_id, before, size + 1)
        return rows[:size], len(rows) > size

    async def count(self) -> int:
        """How many there are."""
        return await self._repository.count()


class RejectedMessageService:
    """Where consumers put what cannot be stored."""

    def __init__(self, store: Store) -> None:
        self._repository = RejectedRepository(store, EVERYTHING)

    async def add(self, messages: Sequence[RejectedMessage]) -> None:
        """Keep them with their reasons; raises StoreUnavailable."""
        if not messages:
            return
        try:
            await self._repository.add([message.document() for message in messages])
        except StoreError as error:
            raise StoreUnavailable(type(error).__name__) from error
        for message in messages:
            REJECTED.labels(message.code).inc()
