"""Processes within bounds, tried with what breaks them."""

import asyncio
import subprocess
import sys
from unittest.mock import Mock, call
from uuid import UUID, uuid4

import pytest

from fleet_kit.errors import Unavailable
from fleet_kit.testing import eventually
from sim_service.platform import subprocess_pool
from sim_service.platform.subprocess_pool import SubprocessFailed, SubprocessPool

from ..support import children_with

CODE = ("timeit", "-n", "1", "-r", "1")


@pytest.fixture
def pool() -> SubprocessPool:
    return SubprocessPool(2, memory_mib=256, wait=0.05)


async def test_memory_is_bounded(pool: SubprocessPool) -> None:
    await pool.run(*CODE, "bytearray(64 << 20)", seconds=60)
    with pytest.raises(SubprocessFailed, match="memory"):
        await pool.run(*CODE, "bytearray(512 << 20)", seconds=60)


def test_no_process_ever_had_more_memory_than_it_may() -> None:
    """In a process of its own, whose only children these are."""
    code = """
import asyncio, resource
from sim_service.platform.subprocess_pool import SubprocessFailed, SubprocessPool
async def grow():
    pool = SubprocessPool(1, memory_mib=256, wait=0)
    try:
        fill = "x = []\\nwhile True: x.append(b'x' * 65536)"
        await pool.run("timeit", "-n", "1", "-r", "1", fill, seconds=60)
    except SubprocessFailed:
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
asyncio.run(grow())
"""
    grown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 64 * 1024 < int(grown.stdout) <= 256 * 1024


async def test_time_is_bounded(pool: SubprocessPool) -> None:
    with pytest.raises(SubprocessFailed, match="more than 1 s"):
        await pool.run(*CODE, "while True: pass", seconds=1)
    with pytest.raises(SubprocessFailed, match=r"more than 0\.5 s"):
        await pool.run(*CODE, "import time\ntime.sleep(1000)", seconds=0.5)


async def test_a_process_does_not_see_the_services_secrets(
    pool: SubprocessPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    code = "import os\nassert 'DATABASE_URL' not in os.environ"
    await pool.run(*CODE, code, seconds=60)


async def test_a_process_dies_with_the_task_that_started_it(pool: SubprocessPool) -> None:
    marker = uuid4().hex
    task = asyncio.create_task(pool.run(*CODE, f"import time\ntime.sleep(1000)  # {marker}", seconds=3000))

    async def runs() -> bool:
        return bool(children_with(marker.encode()))

    await eventually(runs)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not await runs()


async def test_a_place_is_waited_for_in_turn_and_not_for_ever(pool: SubprocessPool) -> None:
    patient = SubprocessPool(1, memory_mib=256, wait=60)
    order: list[int] = []

    async def work(number: int) -> None:
        async with patient.slot(uuid4()):
            order.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_who_gets_no_place_is_told_when_to_come_again(pool: SubprocessPool) -> None:
    async with pool.slot(uuid4()), pool.slot(uuid4()):
        with pytest.raises(Unavailable) as refused:
            async with pool.slot(uuid4()):
                pass
    assert (refused.value.code, refused.value.retry_after) == ("SPREADSHEETS_BUSY", 1)


def test_a_place_is_kept_for_longer_than_until_its_owner_is_to_come_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a kept place is worth: test_fair_slots.py."""
    made = Mock()
    monkeypatch.setattr(subprocess_pool, "FairSlots", made)
    for wait in (0.05, 20):
        SubprocessPool(2, memory_mib=256, wait=wait)
    assert made.mock_calls == [call(2, wait=0.05, keep=1.5), call(2, wait=20, keep=30)]


async def test_who_leaves_while_waiting_keeps_no_place(pool: SubprocessPool) -> None:
    patient = SubprocessPool(1, memory_mib=256, wait=60)
    entered = asyncio.Event()

    async def work(owner: UUID) -> None:
        async with patient.slot(owner):
            entered.set()

    async with patient.slot(uuid4()):
        leaves, stays = (asyncio.create_task(work(uuid4())) for _ in range(2))
        await asyncio.sleep(0)
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
    await stays
    assert entered.is_set()
