"""The one metadata of the service's tables."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from fleet_kit.database import NAMING
from fleet_kit.idempotency import idempotency_table
from fleet_kit.outbox import outbox_table


class Base(DeclarativeBase):
    """Base of every entity."""

    metadata = MetaData(naming_convention=NAMING)


outbox = outbox_table(Base.metadata)
idempotency_keys = idempotency_table(Base.metadata)
