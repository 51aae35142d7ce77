"""Pages as 1NCE gives them: a bare array, the totals in headers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from once_sandbox.errors import ApiError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Paging:
    """A wanted page, counted from 1."""

    page: int
    size: int

    def cut(self, rows: Sequence[T]) -> list[T]:
        """The rows of this page."""
        first = (self.page - 1) * self.size
        return list(rows[first : first + self.size])

    def pages(self, total: int) -> int:
        """How many pages there are."""
        return -(-total // self.size)

    def headers(self, total: int, shown: int) -> dict[str, str]:
        """The four headers in which 1NCE says how much there is."""
        return {
            "X-Total-Count": str(total),
            "X-Total-Pages": str(self.pages(total)),
            "X-Count-Per-Page": str(shown),
            "X-Current-Page": str(self.page),
        }


def paging(
    page: str | None, size: str | None, *, default: int, largest: int, name: str = "pageSize"
) -> Paging:
    """The wanted page from raw query values; raises ApiError 400 in 1NCE's words."""
    return Paging(_whole("page", page, 1, None), _whole(name, size, default, largest))


def _whole(name: str, raw: str | None, default: int, largest: int | None) -> int:
    if raw is None or raw == "":
        return default
    if not raw.isascii() or not raw.isdigit() or len(raw) > 9:
        raise ApiError(400, f'Cannot parse parameter {name} as Int: For input string: "{raw[:40]}"')
    value = int(raw)
    if value < 1 or (largest is not None and value > largest):
        raise ApiError(
            400, f"{name} must be from 1 to {largest}" if largest else f"{name} must be at least 1"
        )
    return value
