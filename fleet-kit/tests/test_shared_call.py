import asyncio

import pytest

from fleet_kit.shared_call import SharedCall


class Counted:
    def __init__(self) -> None:
        self.calls, self.may_end, self.problem = 0, asyncio.Event(), False

    async def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        await self.may_end.wait()
        if self.problem:
            raise ValueError
        return number


async def test_all_who_come_while_it_runs_share_one_call_whoever_of_them_leaves() -> None:
    counted = Counted()
    shared = SharedCall(counted)
    waiting = [asyncio.create_task(shared()) for _ in range(50)]
    await asyncio.sleep(0)
    for task in waiting[:10]:
        task.cancel()
    counted.may_end.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert results[10:] == [1] * 40
    assert await shared() == 2


async def test_a_result_is_remembered_and_an_error_is_not() -> None:
    counted = Counted()
    counted.may_end.set()
    shared = SharedCall(counted, seconds=3600)
    counted.problem = True
    for _ in range(2):
        with pytest.raises(ValueError):
            await shared()
    counted.problem = False
    assert [await shared(), await shared()] == [3, 3]
