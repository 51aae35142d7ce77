"""Who waits for an answer."""

from enum import StrEnum


class Priority(StrEnum):
    """Who waits for the answer: a person's request goes before any background job's.

    LISTING is the list of all SIMs: its few requests book their turns as people's do, so that jobs that ask
    for each SIM by itself do not hold it up.
    """

    PEOPLE = "people"
    LISTING = "listing"
    BACKGROUND = "background"
