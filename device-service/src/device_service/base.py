"""What all tables of the service have in common."""

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase

from fleet_kit.database import NAMING
from fleet_kit.idempotency import idempotency_table
from fleet_kit.limits import limits_table
from fleet_kit.outbox import outbox_table

SOURCE = "device-service"


class Base(DeclarativeBase):
    """Base of every entity; its metadata is what migrations must produce."""

    metadata = MetaData(naming_convention=NAMING)


outbox_table(Base.metadata)
idempotency_table(Base.metadata)
limits_table(Base.metadata)
