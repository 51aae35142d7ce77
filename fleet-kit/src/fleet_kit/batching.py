"""Taking delivered messages in batches."""

import asyncio
import time
from dataclasses import dataclass

from aio_pika.abc import AbstractIncomingMessage


@dataclass(slots=True)
class Backlog:
    """How a consumer gets on, for others to read: whether messages that were delivered wait for it."""

    is_waiting: bool = False
    """Another whole batch was there already when it came back for one."""
    blocked_until: float = 0.0
    """Of time.monotonic: the broker took no message that was to be moved, and is not likely to before."""

    @property
    def is_blocked(self) -> bool:
        """Whether messages cannot be moved at the moment."""
        return time.monotonic() < self.blocked_until


Inbox = asyncio.Queue[AbstractIncomingMessage | None]
"""What the broker has delivered; None is the end."""


async def collect(
    inbox: Inbox, size: int, wait: float, size_bytes: int
) -> tuple[list[AbstractIncomingMessage], bool]:
    """Up to `size` messages, and whether the end came. The first waits at most `wait` seconds for company.

    None is added to messages of `size_bytes` together: what is made of them in memory is many times as large.
    """
    first = await inbox.get()
    if first is None:
        return [], True
    batch = [first]
    deadline = time.monotonic() + wait
    taken = len(first.body)
    while len(batch) < size and taken < size_bytes:
        if inbox.empty():
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    message = await inbox.get()
            except TimeoutError:
                break
        else:
            message = inbox.get_nowait()
        if message is None:
            return batch, True
        batch.append(message)
        taken += len(message.body)
    return batch, False
