"""Repeatable chance: the same seed, SIM and purpose always give the same number, in any order."""

_MASK = (1 << 64) - 1


def mix(*parts: int) -> int:
    """64 well-mixed bits from whole numbers (the finaliser of SplitMix64, applied to each part)."""
    state = 0x9E3779B97F4A7C15
    for part in parts:
        state = (state + part * 0x9E3779B97F4A7C15 + 0x1234567) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        state ^= state >> 31
    return state


def share(*parts: int) -> float:
    """A number from 0 (included) to 1 (excluded)."""
    return (mix(*parts) >> 11) / (1 << 53)
