"""The edges between golden records: what open claims and links give, written wherever either changed.

Nothing here decides anything: deriving twice changes nothing, and deriving from scratch gives what is stored. So edges follow merges,
splits and their undoing by themselves, and an end that nobody knew yet is found when its key appears.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, fetch, lock, text_key
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType, RelationshipRule
from mdm.errors import Busy
from mdm.feed import Happening, publish
from mdm.jsonio import dumps
from mdm.loops import Loop, Tree, settle_loops
from mdm.members import Member
from mdm.systems import SystemRegistry
from mdm.timeline import Claim, Span, spans

_LOCK_ROUNDS = 6


class Touched(NamedTuple):
    """A golden record whose edges of one type and tree may be others now."""

    subject: UUID
    domain: str
    type: str
    tree: str

    @property
    def in_tree(self) -> Tree:
        return self.domain, self.type, self.tree


@dataclass(frozen=True, slots=True)
class Moved:
    """What a change may touch: golden records with all their records, those of both that changed places, and claims."""

    domain: str
    goldens: Collection[UUID] = ()
    records: Collection[UUID] = ()
    places: Sequence[tuple[str, str]] = ()
    changed: Collection[UUID] = ()
    claims: Collection[UUID] = ()


def derive_relationships(
    session: Session,
    entity: EntityType,
    registry: SystemRegistry,
    goldens: Mapping[UUID, Sequence[Member]],
    merged: Sequence[tuple[UUID, UUID]],
) -> list[Loop]:
    """Bring edges from and to these golden records up to their records; `merged` ones have no records any more. Answers loops met."""
    if not entity.relationships and entity.name not in _targeted():
        return []
    moved = _moved(entity, goldens, merged)
    if not moved.places and not entity.relationships:
        return []
    return rederive(session, registry, moved, gone=frozenset(old for old, _ in merged))


@cache
def _targeted() -> frozenset[str]:
    return frozenset(rule.target for entity in ENTITY_TYPES.values() for rule in entity.relationships)


def _moved(entity: EntityType, goldens: Mapping[UUID, Sequence[Member]], merged: Sequence[tuple[UUID, UUID]]) -> Moved:
    places = [(m.system, m.key) for golden, members in goldens.items() for m in members if m.golden_id != golden]
    changed = {golden for golden, members in goldens.items() if any(m.golden_id != golden for m in members)}
    olds = [old for old, _ in merged]
    records = [m.id for members in goldens.values() for m in members]
    return Moved(entity.name, [*goldens, *olds], records, places, changed.union(olds))


def rederive(session: Session, registry: SystemRegistry, moved: Moved, *, gone: frozenset[UUID] = frozenset()) -> list[Loop]:
    """Derive the edges that the change touches, under the locks of their subjects and trees."""
    touched = _locked(session, moved)
    if not touched:
        return []
    subjects = {each.subject for each in touched}
    claims = read_claims(session, registry, subjects)
    changed, fresh = _write(session, subjects, claims)
    loops = settle_loops(session, {each.in_tree for each in changed if is_chain(each.domain, each.type)}, fresh)
    _tell(session, changed, gone)
    return [*loops, *_to_themselves(claims)]


def _to_themselves(claims: Mapping[str, Sequence[Claim]]) -> list[Loop]:
    """The shortest way round, which is never an edge."""
    return [
        Loop((domain, claim.type, claim.tree), (claim.subject,), frozenset({claim.id}), None)
        for domain, held in claims.items()
        for claim in held
        if claim.target == claim.subject
    ]


def _locked(session: Session, moved: Moved) -> frozenset[Touched]:
    """What is touched, its subjects locked in order and its trees; read again until nothing was added while waiting."""
    subjects: set[UUID] = set()
    trees: set[Tree] = set()
    for _ in range(_LOCK_ROUNDS):
        touched = _touched(session, moved)
        wanted = {each.in_tree for each in touched if is_chain(each.domain, each.type)}
        if {each.subject for each in touched} <= subjects and wanted <= trees:
            return touched
        subjects.update(each.subject for each in touched)
        trees |= wanted
        fetch(session, "select id from golden_record where id = any(%s) order by id for update", (array(sorted(subjects)),))
        if trees:
            lock(session, "tree", [text_key("|".join(tree)) for tree in trees])
    raise Busy


def is_chain(domain: str, name: str) -> bool:
    """Whether edges of the type can be followed, and so must never come round."""
    rule = rule_of(domain, name)
    return rule is not None and rule.single and rule.target == domain


def rule_of(domain: str, name: str) -> RelationshipRule | None:
    entity = ENTITY_TYPES.get(domain)
    return None if entity is None else entity.relationship(name)


def _touched(session: Session, moved: Moved) -> frozenset[Touched]:
    rows = fetch(
        session,
        _TOUCHED,
        {
            "domain": moved.domain,
            "goldens": array(moved.goldens),
            "records": array(moved.records),
            "systems": [system for system, _ in moved.places],
            "keys": [key for _, key in moved.places],
            "changed": array(moved.changed),
            "claims": array(moved.claims),
        },
    )
    return frozenset(Touched(*row) for row in rows)


# Claims of the records; edges that stand; claims by or about golden ids whose meaning changed; claims that name a key that changed places.
_TOUCHED = (
    "with same(id) as (select unnest(%(changed)s::uuid[]) union select id from golden_record where merged_into = any(%(changed)s::uuid[])),"
    " claims(id) as (select unnest(%(claims)s::uuid[])"
    " union select id from relationship_claim where record_id = any(%(records)s::uuid[]) and recorded_to is null"
    " union select c.id from same s join relationship_claim c on c.subject_id = s.id and c.recorded_to is null"
    " union select c.id from same s join relationship_claim c on c.target_id = s.id and c.recorded_to is null"
    " union select c.id from unnest(%(systems)s::text[], %(keys)s::text[]) k(system, key) join relationship_claim c"
    "  on c.target_domain = %(domain)s and c.target_system = k.system and c.target_key = k.key and c.recorded_to is null)"
    " select coalesce(l.golden_id, g.merged_into, g.id), c.domain, c.type, c.tree from claims join relationship_claim c on c.id = claims.id"
    " left join link l on l.record_id = c.record_id and l.recorded_to is null left join golden_record g on g.id = c.subject_id"
    " union select r.subject_id, r.domain, r.type, r.tree from relationship r"
    " where r.subject_id = any(%(goldens)s::uuid[]) and r.recorded_to is null"
)


def read_claims(session: Session, registry: SystemRegistry, subjects: Collection[UUID]) -> dict[str, list[Claim]]:
    """The open claims of golden records by domain, with the golden records to which they lead now."""
    found: dict[str, list[Claim]] = {}
    for row in fetch(session, _CLAIMS, {"subjects": array(subjects)}):
        claim_id, subject, domain, name, tree, target, valid_from, valid_to, system, key, status = row
        said_by = None if system is None else f"{system}/{key}"
        active = status != "inactive" or valid_to is not None
        kind = "" if system is None else registry.kind(system)
        claim = Claim(claim_id, subject, name, tree, target, valid_from, valid_to, said_by, kind, active)
        found.setdefault(domain, []).append(claim)
    return found


_CLAIMS = (
    "with claims(id) as ("
    " select c.id from link l join relationship_claim c on c.record_id = l.record_id and c.recorded_to is null"
    "  where l.golden_id = any(%(subjects)s::uuid[]) and l.recorded_to is null"
    " union all select id from relationship_claim where subject_id = any(%(subjects)s::uuid[]) and recorded_to is null"
    " union all select c.id from golden_record g join relationship_claim c on c.subject_id = g.id and c.recorded_to is null"
    "  where g.merged_into = any(%(subjects)s::uuid[]))"
    " select c.id, coalesce(l.golden_id, g.merged_into, g.id), c.domain, c.type, c.tree, coalesce(tl.golden_id, t.merged_into, t.id),"
    " c.valid_from, c.valid_to, r.system, r.key, r.status from claims join relationship_claim c on c.id = claims.id"
    " left join source_record r on r.id = c.record_id left join link l on l.record_id = r.id and l.recorded_to is null"
    " left join golden_record g on g.id = c.subject_id"
    " left join source_record tr on tr.domain = c.target_domain and tr.system = c.target_system and tr.key = c.target_key"
    " left join link tl on tl.record_id = tr.id and tl.recorded_to is null left join golden_record t on t.id = c.target_id"
)


def wanted_spans(claims: Mapping[str, Sequence[Claim]]) -> dict[Span, str]:
    """The edges that open claims give, each with its domain."""
    known = {domain: held for domain, held in claims.items() if domain in ENTITY_TYPES}
    return {span: domain for domain, held in known.items() for span in spans(ENTITY_TYPES[domain], held)}


def stored_spans(session: Session, subjects: Collection[UUID]) -> dict[Span, tuple[int, str]]:
    """The open edges of these golden records as they stand, each with its id and domain; those that yield to a loop included."""
    rows = fetch(
        session,
        "select id, domain, subject_id, type, tree, target_id, valid_from, valid_to, claim_id from relationship"
        " where subject_id = any(%s::uuid[]) and recorded_to is null",
        (array(subjects),),
    )
    return {Span(*row[2:]): (row[0], row[1]) for row in rows}


def _write(session: Session, subjects: Collection[UUID], claims: Mapping[str, Sequence[Claim]]) -> tuple[set[Touched], list[int]]:
    """Close what is no longer true, write what is now; answers what changed, and the new edges."""
    wanted = wanted_spans(claims)
    stored = stored_spans(session, subjects)
    gone = {span: held for span, held in stored.items() if span not in wanted}
    fresh = {span: domain for span, domain in wanted.items() if span not in stored}
    at = fetch(session, _CLOSE, (array(edge for edge, _ in gone.values()),))[0][0] if gone else None
    rows = [_row(span, domain, at) for span, domain in sorted(fresh.items(), key=lambda each: str(each[0]))]
    written = fetch(session, _INSERT, (dumps(rows).decode(),)) if rows else []
    others = [*fresh.items(), *((span, domain) for span, (_, domain) in gone.items())]
    changed = {Touched(span.subject, domain, span.type, span.tree) for span, domain in others}
    return changed, [row[0] for row in written]


_CLOSE = (
    "with t as materialized (select clock_timestamp() as at) update relationship set recorded_to = t.at from t where id = any(%s::bigint[])"
    " returning t.at"
)
_INSERT = (
    "insert into relationship (domain, type, tree, subject_id, target_id, valid_from, valid_to, claim_id, slot, recorded_from)"
    " select x.domain, x.type, x.tree, x.subject_id, x.target_id, x.valid_from, x.valid_to, x.claim_id, x.slot,"
    " coalesce(x.at, statement_timestamp()) from jsonb_to_recordset(%s::jsonb) as x(domain text, type text, tree text, subject_id uuid,"
    " target_id uuid, valid_from date, valid_to date, claim_id uuid, slot bigint, at timestamptz) returning id"
)


def _row(span: Span, domain: str, at: object) -> dict[str, object]:
    return {
        "domain": domain,
        "type": span.type,
        "tree": span.tree,
        "subject_id": span.subject,
        "target_id": span.target,
        "valid_from": span.valid_from,
        "valid_to": span.valid_to,
        "claim_id": span.claim_id,
        "slot": _slot(domain, span),
        "at": at,
    }


def _slot(domain: str, span: Span) -> int | None:
    """What two edges that may not overlap have in common, as a number; None where they may."""
    rule = rule_of(domain, span.type)
    if rule is None or not rule.single:
        return None
    digest = blake2b(f"{span.subject}|{span.type}|{span.tree}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _tell(session: Session, changed: Collection[Touched], gone: frozenset[UUID]) -> None:
    """One event for each golden record whose edges are others now, in its own domain; a merged one has had its last."""
    by_domain: dict[str, dict[UUID, set[str]]] = {}
    for each in changed:
        if each.subject not in gone:
            by_domain.setdefault(each.domain, {}).setdefault(each.subject, set()).add(each.type)
    for domain, subjects in sorted(by_domain.items()):
        told = [Happening("relationship.changed", subject, {"types": sorted(types)}) for subject, types in sorted(subjects.items())]
        publish(session, domain, told)
