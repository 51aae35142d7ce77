"""How far a carrier's moments can be trusted."""

from datetime import timedelta

CLOCKS_DIFFER = timedelta(minutes=5)
"""The carrier's clock may be so far from ours."""
