"""The organisation that a query may see."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, true
from sqlalchemy.orm import InstrumentedAttribute


@dataclass(frozen=True, slots=True)
class Scope:
    """One organisation, or every one for a platform administrator (`organization_id` None).

    Repositories take it in their constructor, so that no query can be written without it.
    """

    organization_id: UUID | None

    def where(self, column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """The condition that keeps a query inside the scope."""
        return true() if self.organization_id is None else column == self.organization_id

    def covers(self, organization_id: UUID | None) -> bool:
        """Whether something of that organisation may be seen."""
        return self.organization_id is None or self.organization_id == organization_id


EVERYTHING = Scope(None)
"""For work that no person asked for: consumers, sweepers, relays."""
