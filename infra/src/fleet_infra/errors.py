"""What keeps a fleet from starting."""


class CannotStart(Exception):
    """The fleet cannot be started as things are; the text is for the person who tried."""
