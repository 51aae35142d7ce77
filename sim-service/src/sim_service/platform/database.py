"""The one metadata of the service's tables, and what its queries share."""

from collections.abc import Collection

from sqlalchemy import ARRAY, ColumnElement, MetaData, String, any_, literal
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute

from fleet_kit.database import NAMING
from fleet_kit.idempotency import idempotency_table
from fleet_kit.limits import limits_table
from fleet_kit.outbox import outbox_table


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


outbox = outbox_table(Base.metadata)
organization_limits = limits_table(Base.metadata)
idempotency_keys = idempotency_table(Base.metadata)


def among(column: InstrumentedAttribute[str], values: Collection[str]) -> ColumnElement[bool]:
    """`column IN values` as one array, since there may be more than a statement can have values (32,767)."""
    return column == any_(literal(list(values), ARRAY(String)))
