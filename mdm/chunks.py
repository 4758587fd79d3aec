"""Work that is begun again in the middle: it is cut into chunks, and each commits together with its row, once.

    def apply(run: Run) -> None:
        run.effect(lambda session: plan_once(session, run.mine, sizes_of(session, run.mine.payload)))
        do_chunks(run, "applying", lambda session, no: apply_rows(session, run.mine.payload, no))

A job has one set of chunks. Between two of them it is seen whether somebody wants its end, or the worker's.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from mdm.db import execute, fetch
from mdm.jobs import Claim, LeaseLost, Progress
from mdm.running import Run

ROWS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the rows of a chunk; the two make up all of them."""

    ok: int
    rejected: int = 0


Do = Callable[[Session, int], Tally]  # one chunk, by its number, in a transaction of at most 15 s


def plan_once(session: Session, mine: Claim, rows: Sequence[int]) -> None:
    """Cut the work into chunks of so many rows, numbered from 0; a plan that is there already stands, whatever is said now."""
    if not fetch(session, "select 1 from job_chunk where job_id = %s limit 1", (mine.id,)):
        _plan(session, mine, 0, rows)


def plan_anew(session: Session, mine: Claim, rows: Sequence[int]) -> int:
    """Replace what is left of the plan, for work that is looked for again at every start; the number of its first chunk."""
    execute(session, "delete from job_chunk where job_id = %s and state = 'planned'", (mine.id,))
    first = int(fetch(session, "select coalesce(max(no) + 1, 0) from job_chunk where job_id = %s", (mine.id,))[0][0])
    _plan(session, mine, first, rows)
    return first


def _plan(session: Session, mine: Claim, first: int, rows: Sequence[int]) -> None:
    if max(rows, default=0) > ROWS_MAX:
        raise ValueError(f"a chunk has at most {ROWS_MAX} rows")
    execute(
        session,
        "insert into job_chunk (job_id, no, rows_in) select %s, %s + n - 1, size from unnest(%s::int[]) with ordinality as x(size, n)",
        (mine.id, first, list(rows)),
    )


def do_chunks(run: Run, stage: str, do: Do) -> None:
    """Do the chunks that are left, in order, saying after each how far the job is. Raises what `Run.effect` raises."""

    def one_by_one(numbers: Sequence[int]) -> Iterator[int]:
        for no in numbers:
            do_chunk(run, no, do)
            yield no

    follow_chunks(run, stage, one_by_one)


def follow_chunks(run: Run, stage: str, have_done: Callable[[Sequence[int]], Iterator[int]]) -> None:
    """Have the chunks that are left done by `have_done`, which names each once it is; say after each how far the job is."""
    left, done = run.effect(partial(_read_plan, mine=run.mine))
    pace = _Pace(stage, done + sum(left.values()), done, time.monotonic())
    for no in have_done(list(left)):
        done += left[no]
        run.say(pace.at(done))


def _read_plan(session: Session, mine: Claim) -> tuple[dict[int, int], int]:
    """Chunks not yet done, with their rows, in order; and the rows of those that are."""
    rows = fetch(session, "select no, rows_in from job_chunk where job_id = %s and state = 'planned' order by no", (mine.id,))
    done = fetch(session, "select coalesce(sum(rows_in), 0) from job_chunk where job_id = %s and state = 'done'", (mine.id,))
    return {row[0]: row[1] for row in rows}, int(done[0][0])


def do_chunk(run: Run, no: int, do: Do) -> None:
    """Do one chunk, together with its row."""
    run.effect(partial(_do_one, mine=run.mine, no=no, do=do))


def _do_one(session: Session, *, mine: Claim, no: int, do: Do) -> None:
    tally = do(session, no)
    marked = execute(
        session,
        "update job_chunk set state = 'done', fence = %s, rows_ok = %s, rows_rejected = %s"
        " where job_id = %s and no = %s and state = 'planned'",
        (mine.fence, tally.ok, tally.rejected, mine.id, no),
    )
    if marked == 0:  # the fence forbids it; were it so all the same, this would be the second effect
        raise LeaseLost


@dataclass(frozen=True, slots=True)
class _Pace:
    """How fast this worker gets on since it began."""

    stage: str
    total: int
    before: int
    began_at: float

    def at(self, done: int) -> Progress:
        seconds = max(time.monotonic() - self.began_at, 0.001)
        return Progress(self.stage, done, self.total, round((done - self.before) / seconds, 1))
