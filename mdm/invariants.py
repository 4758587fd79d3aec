"""What must be true of the stored data at any moment, checked from scratch. Used by `mdm doctor` and by the tests after every act."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import fetch
from mdm.decisions import LATEST, STANDING
from mdm.derive import as_json, golden_values, holdings
from mdm.entities import ENTITY_TYPES
from mdm.loops import find_loops
from mdm.members import members_of
from mdm.relationships import is_chain, read_claims, stored_spans, wanted_spans
from mdm.systems import SystemRegistry, registry

_BATCH = 500

_CHECKS: dict[str, LiteralString] = {
    "an active record without exactly one open link": "select r.id from source_record r left join link l on l.record_id = r.id"
    " and l.recorded_to is null group by r.id having count(l.id) > 1 or (count(l.id) = 0 and r.status = 'active')",
    "a link to a merged golden record": "select l.record_id from link l join golden_record g on g.id = l.golden_id"
    " where l.recorded_to is null and g.status = 'merged'",
    "an active golden record without records": "select g.id from golden_record g where g.status = 'active'"
    " and not exists (select 1 from link l where l.golden_id = g.id and l.recorded_to is null)",
    "a redirect of more than one hop": "select g.id from golden_record g join golden_record t on t.id = g.merged_into"
    " where t.status = 'merged'",
    "a golden record without exactly one open version": "select g.id from golden_record g left join golden_version v on v.golden_id = g.id"
    " and v.recorded_to is null where g.status <> 'merged' group by g.id having count(v.version) <> 1",
    "match keys that differ from the record's": "select coalesce(r.id, m.record_id) from (select r.id, k from source_record r,"
    " unnest(r.keys) k) r(id, key) full join match_key m on m.key = r.key and m.record_id = r.id"
    " where r.id is null or m.record_id is null",
    "a redirect that its steps do not give": "with recursive way(id, root) as (select g.id, g.id from golden_record g"
    " where g.status <> 'merged' union all select r.golden_id, way.root from way join golden_redirect r on r.survivor = way.id"
    " and r.recorded_to is null) select g.id from golden_record g left join way on way.id = g.id"
    " where way.root is distinct from coalesce(g.merged_into, g.id)",
    "an edge whose verdict the standing decisions do not give": "select e.low from edge e full join ("
    + STANDING
    + LATEST
    + ") s on s.low = e.low and s.high = e.high where e.verdict is distinct from s.verdict",
    "pins that the standing decisions do not give": "with said as (select distinct on (d.records[1], d.detail ->> 'attribute')"
    " d.records[1] as record, d.detail ->> 'attribute' as attribute, d.id::text as id from decision d where d.kind = 'pin'"
    " and not exists (select 1 from decision r where r.revokes = d.id)"
    " order by d.records[1], d.detail ->> 'attribute', d.created_at desc, d.id desc), held as (select r.id as record, p.key as attribute,"
    " p.value ->> 'decision' as id from source_record r, jsonb_each(r.pins) p where r.pins is not null)"
    " select record from (select * from said except select * from held union all (select * from held except select * from said)) d",
    "records parted that a person joined": "select e.low from edge e join link a on a.record_id = e.low and a.recorded_to is null"
    " join link b on b.record_id = e.high and b.recorded_to is null where e.verdict = 'same' and a.golden_id <> b.golden_id",
    "a relationship of a merged golden record": "select g.id from relationship r join golden_record g"
    " on g.id in (r.subject_id, r.target_id) where r.recorded_to is null and g.status = 'merged'",
    "a crosswalk row of a merged golden record": "select x.golden_id from xref x join golden_record g on g.id = x.golden_id"
    " where x.recorded_to is null and g.status = 'merged'",
}

# One statement, hence one snapshot: what somebody writes between two questions would look like damage.
_ALL_CHECKS: LiteralString = " union all ".join(f"(select {n}, x.* from ({query} limit 20) x)" for n, query in enumerate(_CHECKS.values()))


@dataclass(frozen=True, slots=True)
class Violation:
    """Something that must never be, with the ids it was found at (no values)."""

    what: str
    ids: tuple[UUID, ...]


def violations(session: Session, *, deep: bool = False) -> list[Violation]:
    """Everything wrong; `deep` also derives values and crosswalk again and compares."""
    found: dict[str, list[UUID]] = {}
    for number, broken in fetch(session, _ALL_CHECKS):
        found.setdefault(tuple(_CHECKS)[number], []).append(broken)
    return [*(Violation(what, tuple(ids)) for what, ids in found.items()), *(_deep(session) if deep else ())]


def _deep(session: Session) -> Iterator[Violation]:
    systems = registry(session)
    for domains in _batches(session):
        goldens = list(domains)
        stored_values = {
            row[0]: (row[1], row[2])
            for row in fetch(
                session,
                "select golden_id, values, provenance from golden_version where golden_id = any(%s) and recorded_to is null",
                (goldens,),
            )
        }
        stored_rows = _stored_rows(session, goldens)
        for golden_id, members in members_of(session, goldens).items():
            entity = ENTITY_TYPES[domains[golden_id]]
            if as_json(golden_values(entity, members, systems)) != stored_values.get(golden_id):
                yield Violation("golden values that survivorship does not give", (golden_id,))
            wanted = holdings(entity, systems, golden_id, members)
            rows = {(h.system_id, h.value, h.own, h.status, h.valid_from, h.valid_to) for h in wanted.values()}
            if rows != stored_rows.get(golden_id, set()):
                yield Violation("crosswalk rows that links and records do not give", (golden_id,))
        yield from _wrong_edges(session, systems, goldens)
    yield from _wrong_marks(session)


def _wrong_edges(session: Session, systems: SystemRegistry, goldens: list[UUID]) -> Iterator[Violation]:
    differing = wanted_spans(read_claims(session, systems, goldens)).keys() ^ stored_spans(session, goldens).keys()
    if differing:
        yield Violation("relationships that claims and links do not give", tuple({span.subject for span in differing}))


def _wrong_marks(session: Session) -> Iterator[Violation]:
    """Of every loop exactly the youngest edge is out of force, hence none is closed by edges in force."""
    chains = [(e.name, rule.name) for e in ENTITY_TYPES.values() for rule in e.relationships if is_chain(e.name, rule.name)]
    rows = fetch(
        session,
        "select r.id, r.subject_id, r.looped from unnest(%s::text[], %s::text[]) c(domain, type) join relationship r"
        " on r.domain = c.domain and r.type = c.type and r.recorded_to is null",
        ([domain for domain, _ in chains], [name for _, name in chains]),
    )
    yielding = {loop.yields for loop in find_loops(session, [row[0] for row in rows])}
    wrong = tuple(subject for edge, subject, looped in rows if looped is not (edge in yielding))
    if wrong:
        yield Violation("edges that close a loop, or are held to", wrong)


def _stored_rows(session: Session, goldens: list[UUID]) -> dict[UUID, set[tuple[object, ...]]]:
    found: dict[UUID, set[tuple[object, ...]]] = {}
    rows = fetch(
        session,
        "select golden_id, system_id, value, own, status, valid_from, valid_to from xref where golden_id = any(%s) and recorded_to is null",
        (goldens,),
    )
    for row in rows:
        found.setdefault(row[0], set()).add(tuple(row[1:]))
    return found


def _batches(session: Session) -> Iterator[dict[UUID, str]]:
    """Golden records with their domains."""
    after: UUID | None = UUID(int=0)
    while after is not None:
        rows = fetch(
            session, "select id, domain from golden_record where status <> 'merged' and id > %s order by id limit %s", (after, _BATCH)
        )
        after = rows[-1][0] if len(rows) == _BATCH else None
        yield dict(rows)
