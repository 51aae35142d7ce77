"""What is written into the log of a process, and what is not."""

import asyncio
import subprocess
import sys

SCRIPT = """
import asyncio
from fleet_kit.logging import configure_logging
from fleet_kit.messaging import BROKER_ERRORS, connect

async def ask():
    configure_logging("test", "INFO")
    try:
        await connect("amqp://nobody@127.0.0.1:1/", "test")
    except BROKER_ERRORS as error:
        print(type(error).__name__)

asyncio.run(ask())
"""


async def test_a_broker_that_is_not_there_yet_is_told_to_who_asked_and_logged_by_nobody_else() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    told, logged = await process.communicate()
    assert told.decode().strip() == "AMQPConnectionError"
    assert logged.decode() == ""
