"""A crosswalk question, and the one statement that answers it.

One statement, hence one snapshot, whether it asks for one value or ten thousand. Two paths send the same `Plan`: `ask`, in a session's
transaction, and `api/hot.py`, on its own connections; `mdm/crosswalk.py` reads the result of both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from psycopg import RawCursor
from psycopg.pq.abc import PGresult
from sqlalchemy.orm import Session

from mdm.db import connection, translated
from mdm.entity import EntityType
from mdm.identifier_systems import BY_CODE
from mdm.standardise import local_key
from mdm.systems import GOLDEN, SystemRegistry
from mdm.values.kind import ValueType, clean_text

VALUES_MAX = 10_000
TARGETS_MAX = 50

# The columns of a row.
KEY, GOLDEN_ID, IS_PLAIN, TARGET_SYSTEM, TARGET_VALUE, TARGET_ACTIVE, TARGET_FROM, TARGET_TO, OWN, ACTIVE, PENDING, FROM, TO = range(13)
Cells = Sequence[str | None]
RawCells = Sequence[bytes | None]

# Nearly every row: nothing is to be said about it but its golden record and its target.
_IS_PLAIN: LiteralString = (
    "s.status = 'active' and not s.pending and s.valid_from is null and s.valid_to is null"
    " and t.status = 'active' and t.valid_from is null and t.valid_to is null"
)
# The arrays stand in sub-selects so that the planner cannot see their size: else it would plan every call anew, at six times the cost.
# A value that one golden record merely mentions is no target where it is another's own key, nor beside a key of its own that is in use:
# a system knows its keys best, and a spelling that a steward mapped is for asking, not for answering.
_IN_SYSTEMS: LiteralString = "t.system_id = any((select $3::int[])::int[])"
_TARGETS: LiteralString = (
    " and "
    + _IN_SYSTEMS
    + """ and t.recorded_to is null
   and (t.own or not exists (select 1 from xref o where o.domain = $1 and o.system_id = t.system_id and o.value = t.value
                             and o.own and o.recorded_to is null)
        and not exists (select 1 from xref k where k.golden_id = t.golden_id and k.system_id = t.system_id and k.own
                        and k.status = 'active' and k.valid_to is null and k.recorded_to is null))
"""
)
_AMONG_VALUES: LiteralString = "(select $4::text[])::text[]"
_ROWS: LiteralString = (
    " from xref s left join xref t on t.golden_id = s.golden_id"
    + _TARGETS
    + " where s.domain = $1 and s.system_id = $2 and s.value = any("
    + _AMONG_VALUES
    + ") and s.recorded_to is null"
)
BY_VALUE: LiteralString = (
    "select s.value, s.golden_id, "
    + _IS_PLAIN
    + """, t.system_id, t.value, t.status = 'active', to_char(t.valid_from, 'YYYY-MM-DD'), to_char(t.valid_to, 'YYYY-MM-DD'),
       s.own, s.status = 'active', s.pending, to_char(s.valid_from, 'YYYY-MM-DD'), to_char(s.valid_to, 'YYYY-MM-DD')
"""
    + _ROWS
)
BY_GOLDEN_ID: LiteralString = (
    """select g.id, g.survivor, false,
       t.system_id, t.value, t.status = 'active', to_char(t.valid_from, 'YYYY-MM-DD'), to_char(t.valid_to, 'YYYY-MM-DD'),
       true, g.status = 'active',
       exists (select 1 from xref p where p.golden_id = g.survivor and p.recorded_to is null and p.pending), null, null
  from (select asked.id, coalesce(asked.merged_into, asked.id) as survivor, coalesce(m.status, asked.status) as status
          from golden_record asked left join golden_record m on m.id = asked.merged_into
         where asked.domain = $1 and $2::int is not null and asked.id = any((select $4::uuid[])::uuid[])) g
  left join xref t on t.golden_id = g.survivor
"""
    + _TARGETS
)
# The same as it was known at a moment ($5): the crosswalk's rows of then, and for golden ids the survivor of then, whom their records name:
# all that a merged golden record had moved on together. Whether a review was pending then, nobody noted.
_XREF_THEN: LiteralString = """(
    select domain, system_id, value, golden_id, status, own, false as pending, valid_from, valid_to, null::timestamptz as recorded_to
      from xref where recorded_to is null and recorded_from <= $5::timestamptz
    union all
    select domain, system_id, value, golden_id, status, own, false, valid_from, valid_to, null
      from xref where recorded_to > $5::timestamptz and recorded_from <= $5::timestamptz)"""
BY_VALUE_THEN: LiteralString = BY_VALUE.replace("from xref", "from " + _XREF_THEN).replace("join xref", "join " + _XREF_THEN)
SURVIVORS_THEN: LiteralString = """
  with recursive walk(id, golden_id) as (
    select id, id from unnest({ids}::uuid[]) id
    union
    select w.id, n.golden_id from walk w
     cross join lateral (select l.id, l.record_id from link l where l.golden_id = w.golden_id and l.recorded_to <= {then}::timestamptz
                          order by l.recorded_to desc, l.id desc limit 1) last
     cross join lateral (select x.golden_id from link x where x.record_id = last.record_id and x.id > last.id order by x.id limit 1) n
     where not exists (select 1 from link o where o.golden_id = w.golden_id and o.recorded_from <= {then}::timestamptz
                        and (o.recorded_to is null or o.recorded_to > {then}::timestamptz)))
  select w.id, w.golden_id from walk w
   where exists (select 1 from link o where o.golden_id = w.golden_id and o.recorded_from <= {then}::timestamptz
                  and (o.recorded_to is null or o.recorded_to > {then}::timestamptz))
"""
BY_GOLDEN_ID_THEN: LiteralString = (
    """select g.id, g.survivor, false,
       t.system_id, t.value, t.status = 'active', to_char(t.valid_from, 'YYYY-MM-DD'), to_char(t.valid_to, 'YYYY-MM-DD'),
       true, g.status = 'active', false, null, null
  from (select s.id, s.golden_id as survivor, coalesce(v.status, 'active') as status
          from ("""
    + SURVIVORS_THEN.format(ids="(select $4::uuid[])", then="$5")
    + """) s join golden_record r on r.id = s.id and r.domain = $1 and $2::int is not null
          left join golden_version v on v.golden_id = s.golden_id and v.recorded_from <= $5::timestamptz
               and (v.recorded_to is null or v.recorded_to > $5::timestamptz)) g
  left join """
    + _XREF_THEN
    + """ t on t.golden_id = g.survivor
"""
    + _TARGETS.replace("from xref", "from " + _XREF_THEN)
)
# For a long list of values in one other system: what of the plain rows' JSON is not the same for all comes back as one text, a line each,
# the other rows as JSON. Ten thousand rows cost half as much to fetch and to read one by one as to find. One row for each piece of the
# list, so that one piece is read while the next is looked for; one statement, hence one snapshot, all the same.
_PIECE: LiteralString = "400"
IN_PIECES: LiteralString = (
    "select piece.* from generate_series(1, cardinality($4::text[]), "
    + _PIECE
    + """) n cross join lateral (
    select string_agg(case when """
    + _IS_PLAIN
    + """ then s.value || $5::text || s.golden_id || $6::text || t.value end, E'\\n'),
       json_agg(array[s.value, s.golden_id::text, null, t.system_id::text, t.value, (t.status = 'active')::text,
                      to_char(t.valid_from, 'YYYY-MM-DD'), to_char(t.valid_to, 'YYYY-MM-DD'), s.own::text, (s.status = 'active')::text,
                      s.pending::text, to_char(s.valid_from, 'YYYY-MM-DD'), to_char(s.valid_to, 'YYYY-MM-DD')])
       filter (where ("""
    + _IS_PLAIN
    + ") is not true)"
    + _ROWS.replace(_IN_SYSTEMS, "t.system_id = ($3::int[])[1]").replace(_AMONG_VALUES, "($4::text[])[n:n + " + _PIECE + " - 1]")
    + ") piece"
)


@dataclass(frozen=True, slots=True)
class Question:
    """Values of one system, asked for in others; systems by code or alias. `known_at`: as Concord knew them at that moment, not now."""

    entity: EntityType
    source: str
    targets: tuple[str, ...]
    values: Sequence[str]
    as_of: date
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A question in the database's terms: `keys` are the normal forms of its values, None for what no table can hold."""

    question: Question
    registry: SystemRegistry
    source: str
    targets: tuple[str, ...]
    keys: Sequence[str | None]
    single: frozenset[int]

    @property
    def statement(self) -> LiteralString:
        if self.question.known_at is None:
            return BY_GOLDEN_ID if self.source == GOLDEN else BY_VALUE
        return BY_GOLDEN_ID_THEN if self.source == GOLDEN else BY_VALUE_THEN

    @property
    def parameters(self) -> tuple[str, ...]:
        """As text, which both paths send alike."""
        ids = self.registry.ids
        targets = ",".join([str(ids[code]) for code in self.targets])
        asked = self.question.entity.name, str(ids[self.source]), "{" + targets + "}", _array(self.keys)
        return asked if self.question.known_at is None else (*asked, self.question.known_at.isoformat())


def plan(registry: SystemRegistry, question: Question) -> Plan | list[str]:
    """What to ask the database, or the names of systems that nobody knows."""
    source = registry.resolve(question.source)
    targets = tuple(dict.fromkeys([registry.resolve(name) or "" for name in question.targets]))
    if source is None or "" in targets:
        return [name for name in dict.fromkeys((question.source, *question.targets)) if registry.resolve(name) is None]
    keys = normal_forms(registry, source, question.values)
    single = frozenset([registry.ids[code] for code in targets if _promises_one(question.entity, registry, code)])
    return Plan(question, registry, source, targets, keys, single)


def _promises_one(entity: EntityType, registry: SystemRegistry, code: str) -> bool:
    """Whether an entity has one value there at a time, so that several leave a question open."""
    if registry.is_source(code) or code not in BY_CODE:
        return True
    return not BY_CODE[code].many and not any(rule.many for rule in entity.identifiers if rule.system == code)


def normal_forms(registry: SystemRegistry, code: str, values: Sequence[str]) -> list[str | None]:
    """The forms in which values of an identifier system are stored; what does not clean is stored as it came, trimmed."""
    if code == GOLDEN:
        return [golden_id_of(value) for value in values]
    if registry.is_source(code):
        return list(values) if _are_tidy(values) else [value if _is_tidy(value) else _storable(local_key(value)) for value in values]
    kind = registry.value_type(code)
    return [_normal_form(kind, value) for value in values]


def _normal_form(kind: ValueType, value: str) -> str | None:
    text = value if not kind.trim or _is_tidy(value) else clean_text(value)
    return _storable((kind.normalise(text) if text else None) or value.strip())


def _are_tidy(values: Sequence[str]) -> bool:
    """Whether all of them are for sure: one look at ten thousand values instead of ten thousand looks."""
    joined = "".join(values)
    return joined.isascii() and joined.isprintable() and " " not in joined and "" not in values


def _is_tidy(value: str) -> bool:
    """Whether cleaning would surely change nothing."""
    return value.isascii() and value.isprintable() and value == value.strip() and "  " not in value and value != ""


def _storable(value: str) -> str | None:
    """PostgreSQL holds neither NUL nor a lone surrogate, so nobody can have delivered them."""
    return None if not value or "\x00" in value or any("\ud800" <= c <= "\udfff" for c in value) else value


def golden_id_of(value: str) -> str | None:
    """A golden id as it is stored, None for what cannot be one."""
    try:
        return str(UUID(value.strip()))
    except ValueError:
        return None


def _array(keys: Iterable[str | None]) -> str:
    """A PostgreSQL array literal, in order: what is looked for together should lie together in the index."""
    known = sorted([key for key in keys if key is not None])
    joined = "".join(known)
    if '"' in joined or "\\" in joined:
        known = [key.replace("\\", "\\\\").replace('"', '\\"') for key in known]
    return '{"' + '","'.join(known) + '"}' if known else "{}"


def ask(session: Session, planned: Plan) -> list[Cells]:
    """The rows of the plan's one statement, in the session's transaction."""
    with translated():
        cursor = RawCursor(connection(session)).execute(planned.statement, planned.parameters, prepare=True)
    if cursor.pgresult is None:
        raise ValueError("the lookup gave no result")
    return cells_of(cursor.pgresult)


def cells_of(result: PGresult) -> list[Cells]:
    """The rows of a result as text, which is how both paths get them."""
    columns = range(result.nfields)
    return [[_text(result.get_value(row, column)) for column in columns] for row in range(result.ntuples)]


def _text(cell: bytes | None) -> str | None:
    return None if cell is None else cell.decode()
