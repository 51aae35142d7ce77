"""So much a second, some more at once, each key by itself."""

import pytest

from fleet_kit.allowances import Allowances
from fleet_kit.testing import ManualClock

PER_SECOND, BURST = 10, 40


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def allowances(clock: ManualClock) -> Allowances[str]:
    return Allowances(PER_SECOND, BURST, most_keys=3, clock=clock)


def test_the_burst_is_taken_at_once_in_any_portions_and_no_more(allowances: Allowances[str]) -> None:
    assert [allowances.take("a", amount) for amount in (25, 15)] == [0, 0]
    assert allowances.take("a", 1) > 0


def test_the_refusal_says_after_how_many_seconds_it_fits(
    clock: ManualClock, allowances: Allowances[str]
) -> None:
    allowances.take("a", BURST)
    seconds = allowances.take("a", 30)
    assert seconds == pytest.approx(3)
    clock.now += seconds - 0.01
    assert allowances.take("a", 30) > 0
    clock.now += 0.02
    assert allowances.take("a", 30) == 0


def test_what_is_refused_costs_nothing(clock: ManualClock, allowances: Allowances[str]) -> None:
    allowances.take("a", BURST)
    for _ in range(100):
        allowances.take("a", BURST)
    clock.now += BURST / PER_SECOND + 0.01
    assert allowances.take("a", BURST) == 0


def test_in_the_long_run_the_rate_is_what_is_taken(clock: ManualClock, allowances: Allowances[str]) -> None:
    taken = 0
    for _ in range(1000):
        clock.now += 0.1
        taken += sum(allowances.take("a") == 0 for _ in range(5))
    assert taken == pytest.approx(100 * PER_SECOND + BURST, abs=5)


def test_a_long_silence_saves_up_no_more_than_the_burst(
    clock: ManualClock, allowances: Allowances[str]
) -> None:
    allowances.take("a", BURST)
    clock.now += 10_000
    assert allowances.take("a", BURST) == 0
    assert allowances.take("a", 1) > 0


def test_keys_do_not_share(allowances: Allowances[str]) -> None:
    allowances.take("a", BURST)
    assert allowances.take("b", BURST) == 0


def test_more_than_the_burst_is_never_allowed(allowances: Allowances[str]) -> None:
    assert allowances.take("a", BURST + 1) > 0


def test_what_is_given_back_can_be_taken_again(allowances: Allowances[str]) -> None:
    allowances.take("a", BURST)
    allowances.give_back("a", 5)
    allowances.give_back("unknown", 5)
    assert [allowances.take("a", amount) > 0 for amount in (5, 1)] == [False, True]


def test_of_too_many_keys_the_one_unused_for_longest_is_forgotten(allowances: Allowances[str]) -> None:
    for key in "abc":
        allowances.take(key, BURST - 1)
    allowances.take("a")
    allowances.take("d")
    assert allowances.take("a") > 0
    assert allowances.take("b", BURST) == 0, "forgotten, so it has its whole allowance"
