"""A crosswalk question, and the one statement that answers it.

One statement, hence one snapshot, whether it asks for one value or ten thousand. Two paths send the same `Plan`: `ask`, in a session's
transaction, and `api/hot.py`, on its own connections; `mdm/crosswalk.py` reads the result of both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
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

# The columns of both statements.
KEY, GOLDEN_ID, IS_PLAIN, TARGET_SYSTEM, TARGET_VALUE = range(5)
COLUMNS = 13

# The arrays stand in sub-selects so that the planner cannot see their size: else it would plan every call anew, at six times the cost.
# The third column says of nearly every row that nothing is special about it, which spares reading the last eight.
# A value that one golden record merely mentions is no target where it is another's own key.
BY_VALUE: LiteralString = """
select s.value, s.golden_id, s.status = 'active' and not s.pending and s.valid_from is null and s.valid_to is null
       and t.status = 'active' and t.valid_from is null and t.valid_to is null,
       t.system_id, t.value, t.status = 'active', to_char(t.valid_from, 'YYYY-MM-DD'), to_char(t.valid_to, 'YYYY-MM-DD'),
       s.own, s.status = 'active', s.pending, to_char(s.valid_from, 'YYYY-MM-DD'), to_char(s.valid_to, 'YYYY-MM-DD')
  from xref s
  left join xref t on t.golden_id = s.golden_id and t.system_id = any((select $3::int[])::int[]) and t.recorded_to is null
   and (t.own or not exists (select 1 from xref o where o.domain = $1 and o.system_id = t.system_id and o.value = t.value
                             and o.own and o.recorded_to is null))
 where s.domain = $1 and s.system_id = $2 and s.value = any((select $4::text[])::text[]) and s.recorded_to is null
"""
BY_GOLDEN_ID: LiteralString = """
select g.id, g.survivor, false,
       t.system_id, t.value, t.status = 'active', to_char(t.valid_from, 'YYYY-MM-DD'), to_char(t.valid_to, 'YYYY-MM-DD'),
       true, g.status = 'active',
       exists (select 1 from xref p where p.golden_id = g.survivor and p.recorded_to is null and p.pending), null, null
  from (select asked.id, coalesce(asked.merged_into, asked.id) as survivor, coalesce(m.status, asked.status) as status
          from golden_record asked left join golden_record m on m.id = asked.merged_into
         where asked.domain = $1 and $2::int is not null and asked.id = any((select $4::uuid[])::uuid[])) g
  left join xref t on t.golden_id = g.survivor and t.system_id = any((select $3::int[])::int[]) and t.recorded_to is null
   and (t.own or not exists (select 1 from xref o where o.domain = $1 and o.system_id = t.system_id and o.value = t.value
                             and o.own and o.recorded_to is null))
"""
# The same for a long list of values in one other system: all rows of which nothing special is to be said come back as two texts, keys and
# the middle of their answers' JSON, a line each. Ten thousand rows cost as much to fetch and to read one by one as to find.
IN_COLUMNS: LiteralString = (
    "with r (key, golden_id, is_plain, system_id, value, target_active, target_from, target_to, own, active, pending, valid_from, valid_to)"
    " as materialized ("
    + BY_VALUE
    + """)
select string_agg(key, E'\\n'), string_agg($5::text || golden_id || $6::text || to_json(value)::text, E'\\n'), null::bool, null::int, null,
       null::bool, null, null, null::bool, null::bool, null::bool, null, null
  from r where is_plain
 union all
select key, golden_id::text, is_plain, system_id, value, target_active, target_from, target_to, own, active, pending, valid_from, valid_to
  from r where is_plain is not true
"""
)


@dataclass(frozen=True, slots=True)
class Question:
    """Values of one system, asked for in others; systems by code or alias."""

    entity: EntityType
    source: str
    targets: tuple[str, ...]
    values: Sequence[str]
    as_of: date


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
        return BY_GOLDEN_ID if self.source == GOLDEN else BY_VALUE

    @property
    def parameters(self) -> tuple[str, str, str, str]:
        """As text, which both paths send alike."""
        ids = self.registry.ids
        targets = ",".join([str(ids[code]) for code in self.targets])
        return self.question.entity.name, str(ids[self.source]), "{" + targets + "}", _array(self.keys)


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
    """A PostgreSQL array literal."""
    known = [key for key in keys if key is not None]
    joined = "".join(known)
    if '"' in joined or "\\" in joined:
        known = [key.replace("\\", "\\\\").replace('"', '\\"') for key in known]
    return '{"' + '","'.join(known) + '"}' if known else "{}"


def ask(session: Session, planned: Plan) -> PGresult:
    """The plan's one statement, in the session's transaction."""
    with translated():
        cursor = RawCursor(connection(session)).execute(planned.statement, planned.parameters, prepare=True)
    if cursor.pgresult is None:
        raise ValueError("the lookup gave no result")
    return cursor.pgresult
