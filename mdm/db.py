"""The database: sessions, whole-transaction retry, sorted advisory locks, and the machine's short way to SQL.

Services get a session and never commit; `Database.run` is the edge that does. Machine paths use `fetch`, `execute` and `write`: the same
transaction, through psycopg itself, because the ORM's share of each statement would double it.

What was written is always there for whoever reads: rows given to `write` wait for each other, but never for the next `fetch` or `execute`.
"""

import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, LiteralString, TypeVar
from urllib.parse import urlsplit
from uuid import UUID
from zlib import crc32

import psycopg
from psycopg import sql
from psycopg.types.json import set_json_dumps, set_json_loads
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, SessionTransaction

from mdm.errors import Busy, NoRoom, ServiceError, TooBroad, Unavailable
from mdm.jsonio import dumps, loads

T = TypeVar("T")
Row = tuple[Any, ...]
Params = Sequence[object] | Mapping[str, object] | None

# Deadlock, serialisation, lock timeout: the same work, tried again, may well succeed.
_CANCELLED = "57014"  # its time was up: only searches have a limit (`give_up_after`)
_RETRIED = frozenset({"40P01", "40001", "55P03"})
# Two claim one identifier at the same moment: whoever comes second sees the other's claim once it begins again.
_RACED = frozenset({"uq_xref_exclusive"})
_GONE = frozenset({"08000", "08003", "08006", "08001", "57P01", "57P02", "57P03", "53300"})
_FULL = "53100"
_ATTEMPTS = 5
LOCKS_MAX = 1024
_BUCKETS = (1 << 20) - 1
_ENGINES_MAX = 64
_STATEMENTS_MAX = (
    500  # deliveries, decisions and their undoing send some 150 different ones; psycopg's 100 would prepare them over and over
)
_DRIVER = "driver"
_WAITING = "waiting"

set_json_dumps(dumps)
set_json_loads(loads)


_JOINED: ContextVar[tuple["Database", Session] | None] = ContextVar("joined", default=None)


class Database:
    """An engine and what is done with it. One per process; `name` tells the server, and whoever looks there, whose sessions these are."""

    def __init__(self, url: str, *, pool_size: int = 4, name: str = "concord") -> None:
        self.url = url
        try:
            self.engine = create_engine(
                "postgresql+psycopg" + url[url.index(":") :],
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=1,
                pool_pre_ping=False,
                hide_parameters=True,
                connect_args={"connect_timeout": 3, "prepare_threshold": 1, "application_name": name},
            )
            event.listen(self.engine, "connect", _prepare)
        except (ValueError, ImportError) as error:
            raise ServiceError(f"MDM_DATABASE_URL is no usable PostgreSQL address ({type(error).__name__})") from error

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back by any exception."""
        outer = self._joined()
        if outer is not None:
            yield outer
            return
        with translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session  # who asks nothing begins nothing; closing rolls back what was not committed
            if session.in_transaction():
                _send_waiting(session)
                session.commit()

    def run(self, work: Callable[[Session], T]) -> T:
        """Do `work` in one transaction, from the beginning again when locks collided (at most 5 times)."""
        outer = self._joined()
        if outer is not None:  # whose owner begins again
            return work(outer)
        for attempt in range(_ATTEMPTS):
            try:
                with self.unit_of_work() as session:
                    return work(session)
            except Busy as error:
                if attempt + 1 == _ATTEMPTS or isinstance(error, Crowded):  # who waited for a connection has waited enough
                    raise
                time.sleep(random.uniform(0.005, 0.03) * 2**attempt)
        raise Busy

    def rehearse(self, work: Callable[[Session], T]) -> T:
        """Do `work` as `run` does, then take all of it back: the answer tells what it would do, the database is as before."""

        def rehearsal(session: Session) -> T:
            result = work(session)
            session.rollback()
            return result

        return self.run(rehearsal)

    def joining(self, session: Session, work: Callable[[], T]) -> T:
        """Do `work`, all of whose transactions with this database are part of the session's; taken back alone when it raises."""
        _send_waiting(session)
        token = _JOINED.set((self, session))
        try:
            with _nested(session):
                result = work()
                _send_waiting(session)
                return result
        except BaseException:
            session.info.pop(_WAITING, None)
            raise
        finally:
            _JOINED.reset(token)

    def _joined(self) -> Session | None:
        found = _JOINED.get()
        return found[1] if found is not None and found[0] is self else None

    def check(self) -> None:
        """Raise Unavailable unless a statement works."""
        with self.unit_of_work() as session:
            fetch(session, "select 1")

    def close(self) -> None:
        self.engine.dispose()


def _prepare(connection: psycopg.Connection[Row], _: object) -> None:
    """Days begin and end by UTC, whatever zone the server or its database is set to."""
    connection.prepared_max = _STATEMENTS_MAX
    connection.execute("set time zone 'UTC'")
    connection.commit()
    _step_back(connection)


def _step_back(connection: psycopg.Connection[Row]) -> None:
    """A session on this machine works at no higher priority than the thread that opens it: see `mdm.stepping_back`."""
    nice, pid = os.getpriority(os.PRIO_PROCESS, 0), connection.info.backend_pid
    if nice > 0 and connection.info.host.startswith("/"):
        with suppress(OSError):  # it may be another user's, or in a container beside ours
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres:"):
                os.setpriority(os.PRIO_PROCESS, pid, nice)


@contextmanager
def translated() -> Iterator[None]:
    """Database trouble in our own words, without the values that were in the statement."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise _translate(error.orig) from None
        raise
    except psycopg.Error as error:
        raise _translate(error) from None
    except PoolTimeout:
        raise Crowded from None


def _translate(error: psycopg.Error) -> Exception:
    state = error.sqlstate or ""
    if state == _CANCELLED:
        return TooBroad()
    if state in _RETRIED or error.diag.constraint_name in _RACED:
        return Busy()
    if state in _GONE or (isinstance(error, psycopg.OperationalError) and state in {"", *_GONE}):
        return Unavailable()
    if state == _FULL:
        return NoRoom()
    return DatabaseError(f"SQLSTATE {state} {error.diag.constraint_name or ''}".strip())


class Crowded(Busy):
    """Every connection of this process is in use; try again in a moment."""


class DatabaseError(Exception):
    """The database refused a statement; says the SQLSTATE and the constraint, never a value."""


def address(session: Session) -> str:
    """Which database this is: what a process remembers of a database, it remembers under this."""
    return _address(session.get_bind().engine)


@lru_cache(maxsize=_ENGINES_MAX)
def _address(engine: Engine) -> str:
    return str(engine.url)


def connection(session: Session) -> psycopg.Connection[Row]:
    """The psycopg connection in whose transaction the session is, with nothing left to write."""
    _send_waiting(session)
    return _driver(session)


def _driver(session: Session) -> psycopg.Connection[Row]:
    """Asked of SQLAlchemy once in a transaction: asking costs half of what a statement does."""
    known = session.info.get(_DRIVER)
    if known is not None and known[0] is session.get_transaction():
        found: psycopg.Connection[Row] = known[1]
        return found
    driver = session.connection().connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise ServiceError("the session has no PostgreSQL connection")
    session.info[_DRIVER] = session.get_transaction(), driver
    return driver


def fetch(session: Session, statement: LiteralString, params: Params = None) -> list[Row]:
    with translated():
        return connection(session).execute(statement, params).fetchall()


def peek(session: Session, statement: LiteralString, params: Params = None) -> list[Row]:
    """Read what no waiting row could change: they go on waiting for each other."""
    with translated():
        return _driver(session).execute(statement, params).fetchall()


def execute(session: Session, statement: LiteralString, params: Params = None) -> int:
    """Run a statement without a result; the number of rows it touched."""
    with translated():
        return connection(session).execute(statement, params).rowcount


def write(session: Session, statement: LiteralString, params: Sequence[object]) -> None:
    """Insert rows, together with others that are written before anything is read: one statement costs less than many.

    `statement` is one INSERT without WITH; it sees nothing of what waits beside it, but its references may name that. PostgreSQL runs them
    in no order that it promises: rows that say when take statement_timestamp(), so that all of them say the same.
    """
    write_all(session, None, (statement,), params)


def write_all(session: Session, source: LiteralString | None, statements: tuple[LiteralString, ...], params: Sequence[object]) -> None:
    """The same of rows of several tables that one query, `source`, has read: the statements call it {rows}."""
    _driver(session)  # a transaction has begun, so that the rows are sent with its commit
    session.info.setdefault(_WAITING, []).append((source, statements, params))


def copy(session: Session, table: LiteralString, columns: LiteralString, lines: Sequence[str]) -> None:
    """Insert many rows, each a line as COPY reads it."""
    if lines:
        _copy(session, sql.SQL("copy {} ({}) from stdin"), table, columns, "\n".join((*lines, "")))


_BINARY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # signature, no flags, no extension
_BINARY_TAIL = b"\xff\xff"


def copy_binary(session: Session, table: LiteralString, columns: LiteralString, rows: bytes) -> None:
    """The same of rows as COPY's binary form has them, without its head and its tail."""
    _copy(session, sql.SQL("copy {} ({}) from stdin (format binary)"), table, columns, b"".join((_BINARY_HEAD, rows, _BINARY_TAIL)))


def _copy(session: Session, form: sql.SQL, table: str, columns: str, content: str | bytes) -> None:
    names = sql.SQL(", ").join(sql.Identifier(column) for column in columns.split(", "))
    with translated(), connection(session).cursor() as cursor, cursor.copy(form.format(sql.Identifier(table), names)) as stream:
        stream.write(content)


def _send_waiting(session: Session) -> None:
    waiting = session.info.pop(_WAITING, None)
    if waiting is not None:
        params = [param for *_, given in waiting for param in given]
        with translated():
            _driver(session).execute(_together(tuple((source, statements) for source, statements, _ in waiting)), params)


@cache
def _together(waiting: tuple[tuple[LiteralString | None, tuple[LiteralString, ...]], ...]) -> LiteralString:
    """One statement that does what all of these do."""
    named: list[LiteralString] = []
    last: LiteralString = ""
    for number, (source, statements) in enumerate(waiting):
        rows: LiteralString = f"rows_{number}"
        if source is not None:
            named.append(f"{rows} as materialized ({source})")
        for statement in statements:
            if last:
                named.append(f"w{len(named)} as ({last})")
            last = statement.replace("{rows}", rows)
    return f"with {', '.join(named)} {last}" if named else last


@contextmanager
def savepoint(session: Session) -> Iterator[None]:
    """Part of a transaction that can fail by itself; what it had still to write is forgotten with it."""
    _send_waiting(session)
    with _nested(session):
        try:
            yield
            _send_waiting(session)
        except BaseException:
            session.info.pop(_WAITING, None)
            raise


def rehearsed(session: Session, work: Callable[[], T]) -> T:
    """Do `work` within a transaction and take it back alone: the answer tells what it would do."""
    _send_waiting(session)
    with _nested(session) as nested:
        result = work()
        session.info.pop(_WAITING, None)
        nested.rollback()
    return result


@contextmanager
def _nested(session: Session) -> Iterator[SessionTransaction]:
    with session.begin_nested() as nested:
        # SQLAlchemy sets the savepoint when it is asked for the connection, and `_driver`, which remembers it, would never ask.
        session.connection()
        yield nested


def give_up_after(session: Session, seconds: int) -> None:
    """Statements of this transaction that take longer raise TooBroad: one broad search must not hold a connection that lookups wait for."""
    fetch(session, "select set_config('statement_timeout', %s, true)", (f"{seconds}s",))


@contextmanager
def without(session: Session, *ways: LiteralString) -> Iterator[None]:
    """Statements in here are not answered in these ways (`seqscan`, `indexscan`, `bitmapscan`), whatever the planner takes for cheap."""
    fetch(session, _SET, ("off", list(ways)))
    yield
    fetch(session, _SET, ("on", list(ways)))


_SET: LiteralString = "select set_config('enable_' || way, %s, true) from unnest(%s::text[]) way"


def array(values: Iterable[int | UUID | str]) -> str:
    """Numbers or ids (hexadecimal ones too) as PostgreSQL reads an array: psycopg would look at each of them several times."""
    return "{" + ",".join(map(str, values)) + "}"


def lock(session: Session, kind: str, keys: Iterable[int], *, shared: bool = False) -> None:
    """Advisory locks for the transaction, in sorted order, all in one statement. Candidates are read after this, never before.

    Those who hold them `shared` do not keep each other out, only those who hold them alone.
    """
    buckets = sorted({key & _BUCKETS for key in keys})
    if len(buckets) > LOCKS_MAX:
        raise ValueError(f"{len(buckets)} locks in one transaction; the chunk must be split")
    fetch(session, _LOCK_SHARED if shared else _LOCK, (crc32(kind.encode()) & 0x7FFFFFFF, array(buckets)))


# A transaction that takes these locks looks up a handful of rows, whatever the size of the tables. Plans made while they were empty, or
# before statistics knew better, would scan them whole: a delivery must cost at a million records what it costs at ten.
_LOCK = (
    "select count(pg_advisory_xact_lock(%s, bucket)), set_config('lock_timeout', '5s', true), set_config('enable_seqscan', 'off', true),"
    " set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
    " set_config('plan_cache_mode', 'force_generic_plan', true) from unnest(%s::int[]) bucket"
)
_LOCK_SHARED = _LOCK.replace("_xact_lock(", "_xact_lock_shared(")


def text_key(text: str) -> int:
    return crc32(text.encode())


def safe_address(url: str) -> str:
    """A URL without its password, for messages."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
