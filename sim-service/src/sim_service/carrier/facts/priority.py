"""Who waits for an answer."""

from enum import StrEnum


class Priority(StrEnum):
    """Who waits for the answer: a person's request goes before any background job's."""

    PEOPLE = "people"
    BACKGROUND = "background"
