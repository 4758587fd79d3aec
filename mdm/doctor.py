"""Is this installation sound? The server it stands on, the services it needs, and the promises that its data must keep.

A finding says what is wrong and how often, never which person: its output may be sent to whoever helps.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import old_keys, old_records, old_words
from mdm.canary import STALE_SECONDS, ages
from mdm.db import LOCKS_MAX, Database, execute, fetch, safe_address
from mdm.derive import golden_values, holdings
from mdm.doorbell import celery_app, is_answering
from mdm.embedded import check_database
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import ConcordError
from mdm.invariants import violations
from mdm.mapping_reports import PROMISES as MAPPING_PROMISES
from mdm.members import Member, members_of
from mdm.oversight import PROMISES
from mdm.recompute import misplaced
from mdm.revision import is_current
from mdm.serving import THREADS_PER_WEB_WORKER
from mdm.settings import NO_BROKER, Settings
from mdm.systems import SystemRegistry, registry
from mdm.words import lexemes

BATCH = 500
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


@dataclass(frozen=True, slots=True)
class Finding:
    """One question and its answer."""

    check: str
    ok: bool
    detail: str


def examine(settings: Settings, *, deep: bool, recompute: bool = False) -> Iterator[Finding]:
    """Every check, as it is done; without a database the others cannot be asked. The URLs in `settings` are known."""
    url = settings.database_url or ""
    yield Finding("settings", ok=True, detail=f"profile {settings.profile}, home {settings.home}")
    yield _broker(settings)
    reached = _database(url)
    yield reached
    if not reached.ok:
        return
    database = Database(url)
    try:
        yield from _database_checks(database, settings, deep=deep or recompute)
        if recompute:
            yield from _recomputed(database)
    finally:
        database.close()


def _broker(settings: Settings) -> Finding:
    url = settings.broker_url or NO_BROKER
    if url == NO_BROKER:
        return Finding("broker", ok=True, detail="none: workers look into the database every second")
    ok = is_answering(celery_app(url))
    return Finding("broker", ok, f"{safe_address(url)} {'answers' if ok else 'does not answer'}")


def _database(url: str) -> Finding:
    try:
        check_database(url)
    except ConcordError as error:
        return Finding("database", ok=False, detail=str(error))
    return Finding("database", ok=True, detail=f"{safe_address(url)} answers")


def _database_checks(database: Database, settings: Settings, *, deep: bool) -> Iterator[Finding]:
    current = is_current(database)
    yield Finding("schema", current, "is this version's" if current else "is not this version's: run `mdm migrate`")
    yield database.run(_durability)
    yield database.run(lambda session: _lock_slots(session, settings))
    if not current:
        return
    yield database.run(_canaries)
    for name, statement in (*_BROKEN.items(), *PROMISES.items()):
        yield _counted(name, database.run(partial(_count, statement)))
    yield database.run(_old_keys)
    yield _counted("xref equals what links and records derive", _sum(database, _wrong_xref))
    if deep:
        yield _counted("golden values equal survivorship", _sum(database, _wrong_values))
        wrong = _sum(database, _wrong_words)
        yield Finding("searches find golden values", wrong == 0, "holds" if wrong == 0 else f"broken {wrong} times: {old_words.REMEDY}")
        yield _old_records(database)
        for name, statement in MAPPING_PROMISES.items():
            yield _counted(name, database.run(partial(_count, statement)))


def _recomputed(database: Database) -> Iterator[Finding]:
    broken = database.run(violations) if is_current(database) else []
    yield _counted("links, redirects, verdicts and pins are what decisions derive", len(broken))
    for entity in ENTITY_TYPES.values():
        yield _counted(
            f"{entity.plural.replace('_', ' ')} are where records and decisions say", sum(1 for _ in misplaced(database, entity))
        )


def _durability(session: Session) -> Finding:
    rows = fetch(session, "select name, setting from pg_settings where name = any(%s) and setting = 'off'", (list(_DURABLE),))
    off = ", ".join(sorted(row[0] for row in rows))
    return Finding("durability", not off, f"{off} off: a crash can lose answered writes" if off else "answered writes survive a crash")


def _lock_slots(session: Session, settings: Settings) -> Finding:
    """Half of the slots must do for every worker at its largest transaction; the rest is for tables and rows."""
    slots = fetch(session, "select current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int / 2")[0][0]
    wanted = settings.web_workers * THREADS_PER_WEB_WORKER * LOCKS_MAX
    return Finding("lock slots", wanted <= slots, f"{wanted} wanted at most, {slots} may be used")


def _canaries(session: Session) -> Finding:
    """Alive but not consuming is the failure that a process list does not show."""
    old = {queue: age for queue, age in ages(session).items() if age > STALE_SECONDS}
    named = ", ".join(f"{queue} for {age:,.0f} s" for queue, age in old.items())
    return Finding("queues", not old, f"no worker has served {named}" if old else "every queue that workers know is served")


def _old_keys(session: Session) -> Finding:
    old = _count(old_keys.COUNT, session)
    return Finding("keys are in normal form", old == 0, "holds" if old == 0 else f"{old} have blanks too many: {old_keys.REMEDY}")


def _old_records(database: Database) -> Finding:
    last = [step for entity in ENTITY_TYPES.values() for step in deque(old_records.repair(database, entity, changes=False), maxlen=1)]
    old, refused = sum(step.old for step in last), sum(step.refused for step in last)
    told = "holds" if old == 0 else f"{old} are read otherwise by now: {old_records.REMEDY}"
    left = f"; {refused} would be refused today and stay as they are" if refused else ""
    return Finding("records are stored as they would be read today", old == 0, told + left)


def _count(statement: LiteralString, session: Session) -> int:
    return int(fetch(session, statement)[0][0])


def _counted(name: str, wrong: int) -> Finding:
    return Finding(name, wrong == 0, "holds" if wrong == 0 else f"broken {wrong} times")


_BROKEN: Mapping[str, LiteralString] = {
    "every active record has one open link to an active golden record": (
        "select count(*) from source_record r where r.status = 'active' and 1 <> (select count(*) from link l"
        " join golden_record g on g.id = l.golden_id and g.status = 'active' where l.record_id = r.id and l.recorded_to is null)"
    ),
    "redirects resolve in one hop": (
        "select count(*) from golden_record g left join golden_record s on s.id = g.merged_into"
        " where g.status = 'merged' and coalesce(s.status, 'merged') = 'merged'"
    ),
    "every active golden record has records": (
        "select count(*) from golden_record g where g.status = 'active' and not exists"
        " (select 1 from link l where l.golden_id = g.id and l.recorded_to is null)"
    ),
}

Goldens = Mapping[UUID, Sequence[Member]]
Compare = Callable[[Session, EntityType, SystemRegistry, Goldens], int]


def _sum(database: Database, compare: Compare) -> int:
    return sum(_sum_of_domain(database, entity, compare) for entity in ENTITY_TYPES.values())


def _sum_of_domain(database: Database, entity: EntityType, compare: Compare) -> int:
    wrong, after = 0, UUID(int=0)
    while True:
        found, last = database.run(partial(_compare_batch, entity, compare, after))
        wrong += found
        if last is None:
            return wrong
        after = last


def _compare_batch(entity: EntityType, compare: Compare, after: UUID, session: Session) -> tuple[int, UUID | None]:
    """In one snapshot: a delivery between two reads would look like damage."""
    execute(session, "set transaction isolation level repeatable read, read only")
    rows = fetch(session, "select id from golden_record where domain = %s and id > %s order by id limit %s", (entity.name, after, BATCH))
    if not rows:
        return 0, None
    ids = [row[0] for row in rows]
    members = members_of(session, ids)
    goldens = {golden_id: members.get(golden_id, []) for golden_id in ids}
    return compare(session, entity, registry(session), goldens), ids[-1]


def _wrong_xref(session: Session, entity: EntityType, systems: SystemRegistry, goldens: Goldens) -> int:
    """Crosswalk rows that are missing, too many, or say something else."""
    wanted = {
        (h.golden_id, h.system_id, h.value, h.own, h.status, h.valid_from, h.valid_to)
        for golden_id, members in goldens.items()
        for h in holdings(entity, systems, golden_id, members).values()
    }
    stored = fetch(
        session,
        "select golden_id, system_id, value, own, status, valid_from, valid_to from xref where golden_id = any(%s) and recorded_to is null",
        (list(goldens),),
    )
    return len({row[:3] for row in wanted ^ {tuple(row) for row in stored}})


def _wrong_values(session: Session, entity: EntityType, systems: SystemRegistry, goldens: Goldens) -> int:
    rows = fetch(
        session,
        'select golden_id, "values" from golden_version where golden_id = any(%s) and recorded_to is null',
        ([golden_id for golden_id, members in goldens.items() if members],),
    )
    stored = {row[0]: row[1] for row in rows}
    return sum(stored.get(golden_id) != _values(entity, members, systems) for golden_id, members in goldens.items() if members)


def _wrong_words(session: Session, entity: EntityType, systems: SystemRegistry, goldens: Goldens) -> int:
    """Golden records whose values some search would miss; words too many harm nobody."""
    del systems
    statement = 'select "values", tsvector_to_array(words) from golden_version where golden_id = any(%s) and recorded_to is null'
    return sum(not {*lexemes(entity, values)} <= {*held} for values, held in fetch(session, statement, (list(goldens),)))


def _values(entity: EntityType, members: Sequence[Member], systems: SystemRegistry) -> dict[str, object]:
    survivors = golden_values(entity, members, systems)
    return {name: s.value if isinstance(s.value, str) else list(s.value) for name, s in survivors.items()}
