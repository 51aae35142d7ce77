"""A few permits, few of one key at a time, first come, first served; whoever gives up leaves no trace."""

import asyncio

import pytest

from fleet_kit.fair_semaphore import FairSemaphore
from fleet_kit.testing import eventually


class Users:
    """Tasks that acquire a permit each, and in which order they got one."""

    def __init__(self, permits: FairSemaphore) -> None:
        self.permits, self.served = permits, list[str]()
        self._may_end = asyncio.Event()

    async def come(self, *keys: str) -> list["asyncio.Task[None]"]:
        """Have tasks wait in this order."""
        tasks = [asyncio.create_task(self._use(key)) for key in keys]
        for _ in range(2):  # the first at once, those whose key has a permit then
            await asyncio.sleep(0)
        return tasks

    async def all_served(self, *tasks: "asyncio.Task[None]") -> list[str]:
        """Let everybody go on; the keys of all that got a permit, in their order."""
        self._may_end.set()
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)
        return self.served

    async def _use(self, key: str) -> None:
        await self.permits.acquire(key)
        try:
            self.served.append(key)
            await self._may_end.wait()
            await asyncio.sleep(0)
        finally:
            self.permits.release(key)


async def cancelled(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)


def is_unused(permits: FairSemaphore) -> bool:
    """Nothing is kept of any key."""
    return permits.users == 0 and not permits._own


async def test_keys_are_served_in_the_order_in_which_they_came() -> None:
    users = Users(FairSemaphore(1))
    tasks = await users.come("a", "b", "c", "d")
    assert users.served == ["a"]
    assert await users.all_served(*tasks) == ["a", "b", "c", "d"]
    assert is_unused(users.permits)


async def test_a_key_with_many_users_is_one_place_before_every_other_key() -> None:
    users = Users(FairSemaphore(1))
    tasks = await users.come(*["greedy"] * 50, "b", "c")
    assert (await users.all_served(*tasks))[:6] == ["greedy", "b", "c", "greedy", "greedy", "greedy"]
    assert users.served.count("greedy") == 50


async def test_who_comes_back_at_once_is_behind_the_next_one_of_another_key() -> None:
    permits, served = FairSemaphore(1), list[str]()

    async def use(key: str, times: int) -> None:
        for _ in range(times):
            await permits.acquire(key)
            served.append(key)
            permits.release(key)

    await permits.acquire("first")
    tasks = [asyncio.create_task(use(key, times)) for key, times in (("a", 1), ("a", 1), ("b", 3))]
    await asyncio.sleep(0)
    permits.release("first")
    await asyncio.gather(*tasks)
    assert served == ["a", "b", "a", "b", "b"]


async def test_a_greedy_key_leaves_permits_to_others() -> None:
    users = Users(FairSemaphore(3, each=2))
    tasks = await users.come(*["greedy"] * 5, "b", "c")
    assert users.served == ["greedy", "greedy", "b"], "two of one key, three in all"
    await users.all_served(*tasks)


async def test_keys_have_no_common_bound_where_none_is_given() -> None:
    users = Users(FairSemaphore())
    tasks = await users.come(*(str(number) for number in range(100)), "1")
    assert len(users.served) == 100
    await users.all_served(*tasks)


async def test_who_holds_a_permit_and_who_waits_are_counted_by_key_and_in_all() -> None:
    users = Users(FairSemaphore(2))
    tasks = await users.come("a", "a", "b", "c")
    assert (users.permits.users, users.permits.users_of("a"), users.permits.users_of("c")) == (4, 2, 1)
    assert users.permits.users_of("nobody") == 0
    await users.all_served(*tasks)
    assert is_unused(users.permits)


@pytest.mark.parametrize("given_up", ["a", "b"], ids=["waiting for its own key", "waiting for the others"])
async def test_who_is_cancelled_while_waiting_keeps_nobody_waiting(given_up: str) -> None:
    users = Users(FairSemaphore(1))
    (holder,) = await users.come("a")
    waiting = await users.come(given_up, given_up)
    await cancelled(*waiting)
    assert users.permits.users == 1
    after = await users.come(given_up, "c")
    await users.all_served(holder, *after)
    assert is_unused(users.permits)


@pytest.mark.parametrize("next_one", ["a", "b"], ids=["of its own key", "of the others"])
async def test_who_is_cancelled_at_the_moment_of_being_served_keeps_nobody_waiting(next_one: str) -> None:
    permits = FairSemaphore(1)
    users = Users(permits)
    await permits.acquire("a")
    first, *others = await users.come(next_one, next_one, "c")
    permits.release("a")
    await cancelled(first)  # what was released is in its hands, and it has not run since
    await users.all_served(*others)
    assert is_unused(permits)


async def test_a_time_limit_of_the_caller_ends_the_wait() -> None:
    permits = FairSemaphore(1)
    await permits.acquire("a")
    for key in ("a", "b"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await permits.acquire(key)
    permits.release("a")
    assert is_unused(permits)


async def test_a_key_rests_while_others_have_its_permit() -> None:
    permits = FairSemaphore(1)
    users = Users(permits)
    await permits.acquire("a")
    tasks = await users.come("a", "b")
    permits.release("a", rest=0.3)
    await users.all_served(tasks[1])
    assert users.served == ["b"]
    assert permits.users_of("a") == 2, "who rests counts too"
    await users.all_served(*tasks)

    async def forgotten() -> bool:
        return is_unused(permits)

    await eventually(forgotten)
