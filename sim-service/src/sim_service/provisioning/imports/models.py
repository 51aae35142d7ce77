"""The table `sim_imports`: the files of imports that are jobs, and what became of them."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, LargeBinary, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sim_service.platform.database import Base


class SimImport(Base):
    """An import that is a job. `content`: the file until it is read; `report`: as in an import's answer."""

    __tablename__ = "sim_imports"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    organization_id: Mapped[UUID] = mapped_column(Uuid)
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)
    report: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    __table_args__ = (
        Index(
            "ix_sim_imports_kept",
            "organization_id",
            postgresql_where=text("content IS NOT NULL OR report IS NOT NULL"),
        ),
    )
