"""Calls to a carrier as such."""

from datetime import timedelta
from enum import StrEnum

MAX_CLOCK_SKEW = timedelta(minutes=5)
"""The carrier's clock may be so far from ours."""


class Priority(StrEnum):
    """Who waits for the answer: a person's request goes before any background job's.

    LISTING is the list of all SIMs: its few requests reserve slots as interactive ones do, so that jobs that
    ask for each SIM by itself do not hold it up.
    """

    INTERACTIVE = "people"  # the value is a label of metrics
    LISTING = "listing"
    BACKGROUND = "background"
