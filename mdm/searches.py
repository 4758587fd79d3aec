"""Searching records: by what they are called, or by a whole number or key. Question and answer are kept for a day, for who asked.

What is kept are ids; what they say is read again, and masked again, whenever the list is looked at.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import policy, reading
from mdm.access import Actor, Verb
from mdm.db import Row, array, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import Forbidden, Invalid, NotFound
from mdm.golden import SearchHit
from mdm.ids import new_id
from mdm.jsonio import dumps
from mdm.reading import Question, Reader
from mdm.systems import registry

PAGE = 50
RECENT = 8
TEXT_MAX = 200
_KEPT: LiteralString = " created_at > now() - interval '24 hours'"


@dataclass(frozen=True, slots=True)
class Asked:
    """A text that names or numbers hold, in one domain or in all (empty) that may be searched."""

    text: str
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A search of one's own: what was asked, and the golden records found, by domain. `next`: where the next page begins."""

    id: UUID
    asked: Asked
    hits: tuple[tuple[str, UUID], ...]
    next: str | None
    created_at: datetime

    @property
    def is_cut(self) -> bool:
        """Whether a search of all domains may have found more than it kept: it keeps a page of each."""
        counts = Counter(domain for domain, _ in self.hits)
        return not self.asked.domain and any(count >= PAGE for count in counts.values())


@dataclass(frozen=True, slots=True)
class Around:
    """What a list says beside a golden record: systems that know it, its source records, open tasks."""

    systems: tuple[str, ...] = ()
    records: int = 0
    tasks: int = 0


def search(session: Session, reader: Reader, asked: Asked, cursor: str | None = None) -> UUID:
    """Search and keep it; the search's id. Raises Invalid without a text, Forbidden where there is nothing that may be searched."""
    if not asked.text.strip() or len(asked.text) > TEXT_MAX:
        raise Invalid.at("required", "/text", f"say what to look for, in at most {TEXT_MAX} characters")
    domains = _domains(reader.actor, asked.domain)
    found = [] if cursor else _numbered(session, reader.actor, domains, asked.text.strip())
    page = None
    for domain in domains:
        page = reading.search(session, ENTITY_TYPES[domain], reader, Question(asked.text, {}, PAGE, cursor))
        found += [(domain, hit.id) for hit in page.items]
    return _keep(session, reader.actor, asked, list(dict.fromkeys(found)), page.next if page and len(domains) == 1 else None)


def look_up(session: Session, entity: EntityType, reader: Reader, text: str, limit: int) -> list[SearchHit]:
    """A few golden records of one domain, for a choice that is made at once: nothing is kept."""
    policy.check(reader.actor, Verb.SEARCH, entity.name)
    numbered = [golden for _, golden in _numbered(session, reader.actor, [entity.name], text.strip())][:limit]
    named = reading.search(session, entity, reader, Question(text, {}, limit)).items
    lines = reading.read_lines(session, entity, reader, numbered)
    found = {hit.id: hit for hit in (*lines.values(), *named)}
    return list(found.values())[:limit]


def domain_of(session: Session, actor: Actor, golden_id: UUID) -> str | None:
    """The domain of a golden id that exists for the actor."""
    rows = fetch(session, "select domain, coalesce(merged_into, id) from golden_record where id = %s", (golden_id,))
    is_open = bool(rows) and policy.can(actor, Verb.READ, rows[0][0]) and bool(policy.visible(session, actor, [rows[0][1]]))
    return rows[0][0] if is_open else None


def _domains(actor: Actor, wanted: str) -> list[str]:
    domains = sorted(policy.domains(actor, Verb.SEARCH) & policy.domains(actor, Verb.READ))
    chosen = [name for name in domains if wanted in {"", name}]
    if not chosen:
        raise Forbidden
    return chosen


def _numbered(session: Session, actor: Actor, domains: Sequence[str], text: str) -> list[tuple[str, UUID]]:
    """Who holds exactly this number or key, in systems that the searcher may see: a part of a number finds nobody."""
    allowed = [domain for domain in domains if policy.can(actor, Verb.LOOKUP, domain)]
    systems = registry(session)
    codes = [code for code in systems.ids if (policy.in_scope(actor, code) if systems.is_source(code) else actor.systems is None)]
    forms = {text} | {form for code in codes if (form := systems.value_type(code).read(text).value)}
    rows = fetch(
        session,
        "select distinct x.domain, x.golden_id from xref x where x.domain = any(%s) and x.system_id = any(%s::int[]) and x.value = any(%s)"
        " and x.recorded_to is null order by 1, 2 limit %s",
        (allowed, array(systems.ids[code] for code in codes), sorted(forms), PAGE),
    )
    seen = policy.visible(session, actor, [row[1] for row in rows])
    return [(row[0], row[1]) for row in rows if row[1] in seen]


def forget(session: Session) -> None:
    """What is older than a day goes; workers see to it, and so does the next search."""
    execute(session, "delete from record_search where not (" + _KEPT + ")")


def _keep(session: Session, actor: Actor, asked: Asked, hits: Sequence[tuple[str, UUID]], after: str | None) -> UUID:
    search_id = new_id()
    forget(session)
    execute(
        session,
        "insert into record_search (id, principal_id, asked, hits, next) values (%s, %s, %s::jsonb, %s::jsonb, %s)",
        (
            search_id,
            actor.id,
            dumps({"text": asked.text, "domain": asked.domain}).decode(),
            dumps([[domain, str(golden)] for domain, golden in hits]).decode(),
            after,
        ),
    )
    return search_id


_COLUMNS: LiteralString = "select id, asked, hits, next, created_at from record_search where principal_id = %s and" + _KEPT


def get(session: Session, actor: Actor, search_id: UUID) -> Search:
    """A search of the actor's own of the last 24 hours. Raises NotFound."""
    rows = fetch(session, _COLUMNS + " and id = %s", (actor.id, search_id))
    if not rows:
        raise NotFound("there is no such search, or it is older than a day; search again")
    return _view(rows[0])


def recent(session: Session, actor: Actor) -> list[Search]:
    """The actor's latest searches, each question once."""
    rows = fetch(session, _COLUMNS + " order by created_at desc limit %s", (actor.id, RECENT * 4))
    found: dict[Asked, Search] = {}
    for each in map(_view, rows):
        found.setdefault(each.asked, each)
    return list(found.values())[:RECENT]


def _view(row: Row) -> Search:
    search_id, asked, hits, after, created_at = row
    return Search(search_id, Asked(**asked), tuple((domain, UUID(golden)) for domain, golden in hits), after, created_at)


def around(session: Session, actor: Actor, goldens: Sequence[UUID]) -> Mapping[UUID, Around]:
    """What stands beside these golden records in a list; systems outside the scope are not told of, nor are tasks to who sees some only."""
    rows = fetch(
        session,
        "select l.golden_id, array_agg(distinct r.system order by r.system), count(*),"
        " (select count(*) from task t where t.status = 'open' and t.goldens @> array[l.golden_id])"
        " from link l join source_record r on r.id = l.record_id where l.golden_id = any(%(ids)s::uuid[]) and l.recorded_to is null"
        " and (%(systems)s::text[] is null or r.system = any(%(systems)s)) group by l.golden_id",
        {"ids": array(goldens), "systems": None if actor.systems is None else sorted(actor.systems)},
    )
    return {row[0]: Around(tuple(row[1]), row[2], row[3] if actor.systems is None else 0) for row in rows}
