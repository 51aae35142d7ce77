"""One call for all who want its result at the same time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedCall(Generic[T]):
    """Whoever comes while the call is under way waits for that one, and gets its result or its error.

    A result is remembered for `seconds`. The call is a task of its own, so those that wait may be cancelled.
    """

    def __init__(self, call: Callable[[], Awaitable[T]], *, seconds: float = 0.0) -> None:
        self._call, self._seconds = call, seconds
        self._task: asyncio.Task[T] | None = None
        self._fresh_until = 0.0

    @property
    def under_way(self) -> bool:
        """Whether it has begun and not ended."""
        return self._task is not None and not self._task.done()

    async def __call__(self) -> T:
        """The result; raises what the call raises."""
        return await asyncio.shield(self.start())

    def start(self) -> "asyncio.Task[T]":
        """The call that is under way or remembered, or a new one; nobody has to wait for it."""
        if self._task is None or (not self.under_way and time.monotonic() >= self._fresh_until):
            self._task = asyncio.create_task(self._run())
        return self._task

    async def _run(self) -> T:
        self._fresh_until = 0.0
        result = await self._call()
        self._fresh_until = time.monotonic() + self._seconds
        return result
