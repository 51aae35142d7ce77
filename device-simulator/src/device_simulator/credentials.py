"""What a device logs in with."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credential:
    """A device's id and its key; the key never appears in a representation."""

    id: str
    key: str = field(repr=False)
