"""Optimistic concurrency: a device's version as its ETag, checked by If-Match."""

from typing import Annotated

from fastapi import Depends, Header

from fleet_kit.errors import PreconditionFailed
from fleet_kit.openapi import raises


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


@raises(PreconditionFailed)
class Precondition:
    """The request's If-Match, or no condition.

    Weak tags are taken as well: a proxy that compresses an answer weakens its ETag.
    """

    def __init__(self, if_match: Annotated[str | None, Header(max_length=512)] = None) -> None:
        tags = [] if if_match is None else [tag.strip().removeprefix("W/") for tag in if_match.split(",")]
        self._wanted = None if if_match is None or "*" in tags else frozenset(tags)

    def check(self, version: int) -> None:
        """Raise PreconditionFailed when the caller has seen another version."""
        if self._wanted is not None and etag(version) not in self._wanted:
            raise PreconditionFailed(
                "the device was changed meanwhile: read it again", details={"version": version}
            )


IfMatch = Annotated[Precondition, Depends(Precondition)]
