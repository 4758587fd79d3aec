"""The table of what stewards searched for: kept on the server, so that no address ever holds a name or a number."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import Base, Json


class RecordSearch(Base):
    """A question and the golden records that answered it, for whoever asked and nobody else. A day later it is gone."""

    __tablename__ = "record_search"
    id: Mapped[UUID] = mapped_column(primary_key=True)
    principal_id: Mapped[UUID] = mapped_column(ForeignKey("principal.id"))
    asked: Mapped[Json]
    hits: Mapped[list[list[str]]] = mapped_column(JSONB)
    next: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))
    __table_args__ = (
        Index("ix_record_search_principal_id", "principal_id", "created_at"),
        Index("ix_record_search_created_at", "created_at"),
    )
