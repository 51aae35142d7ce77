import asyncio
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class NotReady(Exception):
    """The server does not answer as it should yet; the text says what it did instead."""


@dataclass(frozen=True)
class Process:
    """One program of a server, in the foreground, as a supervisor or a test session runs it."""

    name: str
    command: tuple[str, ...]
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str | None = None
    """System user to run as, where ours is root."""
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    priority: int = 100
    """Lower starts first and stops last."""
    files: tuple[Path, ...] = ()
    """Configuration that the program reads once, at its start: another content replaces the program."""


class Server(Protocol):
    """A server that can be prepared once, started many times and asked whether it is ready."""

    name: str

    def prepare(self) -> None:
        """Make its folders, files and first contents; changes nothing when they are there."""

    def processes(self) -> list[Process]:
        """What to run, in starting order."""

    def check(self) -> None:
        """Return when the server can be used; otherwise raise NotReady."""


def wait_ready(server: Server, timeout: float = 60.0, alive: threading.Event | None = None) -> None:
    """Wait until the server is ready; raise NotReady after `timeout` seconds or when `alive` is set."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return server.check()
        except NotReady:
            if time.monotonic() > deadline or (alive is not None and alive.is_set()):
                raise
            time.sleep(0.1)


def run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end from synchronous code, also where an event loop already runs."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
