"""Work on somebody's file in a process of its own: bounded in memory and time, and off the event loop."""

import asyncio
import resource
import sys
from contextlib import suppress
from pathlib import Path

_MEMORY_BYTES = 1024**3


class SubprocessFailed(Exception):
    """The process broke its bounds or died."""


async def run_in_subprocess(module: str, *arguments: str | Path, seconds: float) -> None:
    """`python -m module arguments…`; raises SubprocessFailed unless it ends well within `seconds`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *map(str, arguments), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(seconds):
            code = await process.wait()
    except TimeoutError:
        raise SubprocessFailed(f"{module} took longer than {seconds} s") from None
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if code != 0:
        raise SubprocessFailed(f"{module} ended with {code}")


def limit_memory() -> None:
    """For the process itself: what wants more than 1 GiB fails."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
