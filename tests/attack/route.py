"""How an expectation of a route is written down."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Least(IntEnum):
    """The least that a caller has to be; roles in their order."""

    PUBLIC = 0
    """Answers strangers; the body says who one is, where that matters."""
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3
    PLATFORM = 4
    CARRIER = 9
    """The carrier's login for what it pushes, and nobody else."""


@dataclass(frozen=True)
class Route:
    """What is expected of one method of one path.

    `owned`: path, query or body names an object of organisation A, which does not exist for B (404). Where it
    is False, B is answered with what is its own. `device`: also with its own key. `body`: JSON
    with names of objects in braces, or None. `upload`: a file of a form, instead. `values`: path parameters
    that are no objects. `query`: after the path; it may name A's objects. `fresh`: objects that the call uses
    up, so that every allowed caller gets others. `hidden`: another spelling that the documents leave out.
    `repeated`: takes a revoked token too, for whoever logs out twice is not told off.
    """

    method: str
    path: str
    least: Least
    owned: bool = False
    device: bool = False
    body: Any = None
    upload: str = ""
    values: dict[str, str] = field(default_factory=dict)
    query: str = ""
    fresh: tuple[str, ...] = ()
    hidden: bool = False
    repeated: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def own(method: str, path: str, least: Least, body: Any = None, **more: Any) -> Route:
    """A route that names an object of organisation A."""
    return Route(method, path, least, owned=True, body=body, **more)


def general(method: str, path: str, least: Least, body: Any = None, **more: Any) -> Route:
    """A route that names no object: a list, something new, or what belongs to the platform."""
    return Route(method, path, least, body=body, **more)
