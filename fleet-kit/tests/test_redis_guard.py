"""After a failure Redis is left alone for a moment, and then asked again."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from fleet_kit import redis_guard
from fleet_kit.redis_guard import RedisGuard, RedisUnavailable


class Clock:
    """Stands in for the module `time`."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(redis_guard, "time", found)
    return found


def fail(guard: RedisGuard, error: Exception) -> None:
    with guard.attempt():
        raise error


@pytest.mark.parametrize("error", [RedisConnectionError("refused"), OSError("reset"), TimeoutError()])
def test_after_a_failure_nobody_asks_until_the_pause_is_over(clock: Clock, error: Exception) -> None:
    guard, asked = RedisGuard("asking Postgres", retry_after_seconds=2), 0
    with pytest.raises(RedisUnavailable):
        fail(guard, error)
    clock.now += 1.9
    with pytest.raises(RedisUnavailable), guard.attempt():
        asked += 1
    assert guard.is_open
    clock.now += 0.2
    with guard.attempt():
        asked += 1
    assert asked == 1
    assert not guard.is_open


def test_an_error_that_is_not_about_redis_is_passed_on_and_opens_nothing() -> None:
    guard = RedisGuard("asking Postgres")
    with pytest.raises(ValueError, match="mine"):
        fail(guard, ValueError("mine"))
    assert not guard.is_open


def test_a_reset_guard_asks_again_at_once() -> None:
    guard = RedisGuard("asking Postgres", retry_after_seconds=60)
    guard.record_failure(TimeoutError())
    guard.reset()
    with guard.attempt():
        pass


def test_after_the_pause_one_call_tries_and_the_others_do_not_wait_for_it(clock: Clock) -> None:
    guard = RedisGuard("asking Postgres", retry_after_seconds=2)
    guard.record_failure(TimeoutError())
    clock.now += 3
    with guard.attempt(), pytest.raises(RedisUnavailable), guard.attempt():
        pass
    with guard.attempt():
        pass
