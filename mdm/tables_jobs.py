"""What stands around a job: its chunks, the wish to end it, and the canaries that prove that queues are served."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from mdm.tables import NOW, Base


class JobChunk(Base):
    """The unit in which a job is begun again. Its row commits with the business rows of the chunk, under the fence of whoever did it."""

    __tablename__ = "job_chunk"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    no: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(CheckConstraint("state in ('planned', 'done')", "state"), server_default="planned")
    fence: Mapped[int | None] = mapped_column(BigInteger)
    rows_in: Mapped[int]
    rows_ok: Mapped[int | None]
    rows_rejected: Mapped[int | None]
    __table_args__ = (CheckConstraint("state = 'planned' or (fence is not null and rows_in = rows_ok + rows_rejected)", "accounted"),)


class JobCancel(Base):
    """Somebody wants a running job to end. A row of its own: changing the job's would wait for the chunk under way."""

    __tablename__ = "job_cancel"
    job_id: Mapped[UUID] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    asked_by: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(server_default=NOW)


class Canary(Base):
    """When a worker last did a job that came through this queue."""

    __tablename__ = "canary"
    queue: Mapped[str] = mapped_column(primary_key=True)
    heard_at: Mapped[datetime] = mapped_column(server_default=NOW)
