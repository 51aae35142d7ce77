"""What can go wrong, by what becomes of the reading."""


class CannotStart(Exception):
    """The simulator cannot begin; the message says what is missing or wrong."""


class NotAccepted(Exception):
    """Nobody confirmed the message: it is sent again, with the same ids, after at least `wait` seconds."""

    def __init__(self, reason: str, wait: float = 0) -> None:
        super().__init__(reason)
        self.wait = wait


class Refused(Exception):
    """The platform will never accept this message; sending it again is useless."""
