"""Who waits for an answer."""

from enum import StrEnum


class Priority(StrEnum):
    """Who waits for the answer: a person's request goes before any background job's.

    LISTING is the list of all SIMs: a few requests that tell of every SIM book their turns as people do, so that
    jobs that ask for each SIM by itself do not hold them up.
    """

    PEOPLE = "people"
    LISTING = "listing"
    BACKGROUND = "background"
