"""The table `job_pages`: how far a sync has read the carrier's list."""

from uuid import UUID

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from sim_service.platform.database import Base


class SyncPage(Base):
    """A page that a sync has stored, with the ICCIDs on it: a restarted job continues with the others."""

    __tablename__ = "job_pages"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    page: Mapped[int] = mapped_column(Integer, primary_key=True)
    iccids: Mapped[list[str]] = mapped_column(ARRAY(String(19)))
