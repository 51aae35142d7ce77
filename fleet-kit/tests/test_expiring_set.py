"""Keys that are remembered for a while."""

from fleet_kit.expiring_set import ExpiringSet
from fleet_kit.testing import ManualClock


def test_a_key_is_in_it_until_its_time_is_over_and_adding_it_begins_anew() -> None:
    clock = ManualClock()
    seen = ExpiringSet[str](5, most=10, clock=clock)
    seen.add("a")
    clock.now += 4
    seen.add("a")
    clock.now += 4
    assert "a" in seen
    clock.now += 1
    assert "a" not in seen


def test_of_too_many_the_one_added_longest_ago_goes() -> None:
    seen = ExpiringSet[str](5, most=2, clock=ManualClock())
    for key in ("a", "b", "a", "c"):
        seen.add(key)
    assert [key in seen for key in ("a", "b", "c")] == [True, False, True]


def test_what_is_discarded_is_gone_and_may_be_discarded_again() -> None:
    seen = ExpiringSet[str](5, most=2, clock=ManualClock())
    seen.add("a")
    for _ in range(2):
        seen.discard("a")
    assert "a" not in seen
