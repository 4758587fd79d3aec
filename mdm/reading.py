"""Reading for somebody: every read of a domain is checked, cut to the reader's systems, masked and, of patients, audited.

In that order, and here only, so that neither a route nor a page can forget one of them.

What lies outside the reader's scope does not exist for them: the answer is the one for what was never there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, golden, history, mask, policy
from mdm.access import PHI, Actor, Role, Verb
from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.errors import NotFound
from mdm.guesses import coarse, withheld
from mdm.match import MatchAnswer
from mdm.match import match as find_alike
from mdm.models import scorer
from mdm.standardise import Raw, local_key
from mdm.systems import SystemRegistry, registry
from mdm.words import answers

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, under which request."""

    actor: Actor
    request_id: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a search asks for: a text, or attributes, and where the last page ended."""

    text: str | None
    attributes: Mapping[str, str]
    limit: int
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Own:
    """What the systems in a reader's scope say about one golden record."""

    records: frozenset[UUID]
    values: Mapping[str, frozenset[str]]
    identifiers: frozenset[tuple[str, str]]


def read_golden(
    session: Session, entity: EntityType, reader: Reader, golden_id: UUID, *, as_of: date | None = None, known_at: datetime | None = None
) -> golden.GoldenView:
    """A golden record as this reader may see it; raises NotFound, or Forbidden."""
    policy.check(reader.actor, Verb.READ, entity.name)
    view = golden.read(session, entity, golden_id, as_of=as_of, known_at=known_at)
    own = _own(session, entity, reader.actor, view.id)
    values = shown_values(entity, reader.actor, view.values, own)
    audit_read(session, entity, reader, "golden:read", [view.id], values)
    return replace(
        view,
        values=values,
        provenance=_provenance(entity, reader.actor, view.provenance, values, own),
        identifiers=tuple(_held(reader.actor, held) for held in view.identifiers if _is_own(held, own)),
        records=tuple(record for record in view.records if own is None or record in own.records),
    )


def _is_own(held: golden.Held, own: Own | None) -> bool:
    return own is None or (held.system, held.value) in own.identifiers


def read_history(session: Session, entity: EntityType, reader: Reader, golden_id: UUID) -> list[golden.GoldenVersionView]:
    """Every version of a golden record, masked as the present one is."""
    policy.check(reader.actor, Verb.READ, entity.name)
    present = golden.read(session, entity, golden_id)
    own = _own(session, entity, reader.actor, present.id)
    versions = [_version(entity, reader.actor, version, own) for version in golden.history(session, entity, golden_id)]
    audit_read(session, entity, reader, "golden:history", [present.id], {name for version in versions for name in version.values})
    return versions


def read_lanes(session: Session, entity: EntityType, reader: Reader, golden_id: UUID) -> list[history.Lane]:
    """The records that ever were part of a golden record, those of systems in the reader's scope; what they said stays out."""
    policy.check(reader.actor, Verb.READ, entity.name)
    return [lane for lane in history.lanes(session, entity, golden_id) if policy.in_scope(reader.actor, lane.system)]


def read_source_history(session: Session, entity: EntityType, reader: Reader, system: str, key: str) -> history.Lane:
    """Every version of a source record, those held back included, masked as the present one is."""
    policy.check(reader.actor, Verb.READ, entity.name)
    if not policy.in_scope(reader.actor, system):
        raise NotFound
    lane = history.lane(session, entity, system, key)
    fields = {name for version in lane.versions for name in version.attributes}
    audit_read(session, entity, reader, "source:history", list({stay.golden_id for stay in lane.stays}), fields)
    systems = registry(session)
    return replace(lane, versions=tuple(_record_version(entity, reader.actor, systems, version) for version in lane.versions))


def _record_version(entity: EntityType, actor: Actor, systems: SystemRegistry, version: history.RecordVersion) -> history.RecordVersion:
    return replace(
        version,
        attributes=mask.values(entity, actor, version.attributes),
        identifiers=_identifiers(actor, systems, version.identifiers),
    )


def read_diff(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, points: history.Points) -> history.Diff:
    """What differs between two points, compared as it is and told as this reader may see it."""
    policy.check(reader.actor, Verb.READ, entity.name)
    before, after = history.views(session, entity, golden_id, points)
    own = _own(session, entity, reader.actor, golden_id)
    known = history.origins(session, _named(before) | _named(after))
    seen = {record: origin for record, origin in known.items() if policy.in_scope(reader.actor, origin.system)}
    changes = tuple(_changes(entity, reader.actor, (before, after), own, seen))
    audit_read(session, entity, reader, "golden:diff", [golden_id], [change.attribute for change in changes])
    had, has = (frozenset(held for held in view.identifiers if _is_own(held, own)) if view else frozenset() for view in (before, after))
    were, are = (frozenset(record for record in view.records if record in seen) if view else frozenset() for view in (before, after))
    return history.Diff(
        id=golden_id,
        version_before=before.version if before else None,
        version_after=after.version if after else None,
        status_before=before.status if before else None,
        status_after=after.status if after else None,
        values=changes,
        identifiers_added=_told(reader.actor, has - had),
        identifiers_removed=_told(reader.actor, had - has),
        records_joined=tuple(seen[record] for record in sorted(are - were)),
        records_left=tuple(seen[record] for record in sorted(were - are)),
    )


def _changes(
    entity: EntityType,
    actor: Actor,
    sides: tuple[golden.GoldenView | None, golden.GoldenView | None],
    own: Own | None,
    seen: Mapping[UUID, history.Origin],
) -> Iterator[history.Change]:
    plain = [view.values if view else {} for view in sides]
    shown = [shown_values(entity, actor, values, own) for values in plain]
    source = [view.provenance if view else {} for view in sides]
    for name in (attribute.name for attribute in entity.attributes):
        before, after = (side.get(name) for side in shown)
        if plain[0].get(name) != plain[1].get(name) and not (before is None and after is None):
            origins = (seen.get(UUID(why[name]["record_id"])) if name in why else None for why in source)
            yield history.Change(name, before, after, *origins)


def _named(view: golden.GoldenView | None) -> set[UUID]:
    return set() if view is None else {*view.records, *(UUID(why["record_id"]) for why in view.provenance.values())}


def _told(actor: Actor, found: Iterable[golden.Held]) -> tuple[golden.Held, ...]:
    return tuple(_held(actor, held) for held in sorted(found, key=lambda held: (held.system, held.value, held.status)))


def read_sources(session: Session, entity: EntityType, reader: Reader, golden_id: UUID) -> list[golden.SourceView]:
    """The source records behind a golden record, those in the reader's scope."""
    policy.check(reader.actor, Verb.READ, entity.name)
    found = [view for view in golden.sources(session, entity, golden_id) if policy.in_scope(reader.actor, view.system)]
    if not found:
        raise NotFound
    audit_read(session, entity, reader, "source:list", [golden_id], {name for view in found for name in view.attributes})
    systems = registry(session)
    return [_source(entity, reader.actor, systems, view) for view in found]


def read_source(session: Session, entity: EntityType, reader: Reader, system: str, key: str) -> golden.SourceView:
    """One source record; one of a system outside the reader's scope is not found."""
    policy.check(reader.actor, Verb.READ, entity.name)
    if not policy.in_scope(reader.actor, system):
        raise NotFound
    view = golden.source(session, entity, system, key)
    audit_read(session, entity, reader, "source:read", [view.golden_id], view.attributes)
    return _source(entity, reader.actor, registry(session), view)


def search(session: Session, entity: EntityType, reader: Reader, asked: Question) -> golden.SearchPage:
    """Golden records by text or attributes. A page may hold fewer than asked, where others are not for this reader."""
    policy.check(reader.actor, Verb.SEARCH, entity.name)
    page = golden.search(session, entity, text=asked.text, attributes=asked.attributes, limit=asked.limit, cursor=asked.cursor)
    owns = _owns(session, entity, reader.actor, [hit.id for hit in page.items])
    hits = tuple(h for hit in page.items if hit.id in owns for h in _hit(entity, reader.actor, asked, hit, owns[hit.id]))
    audit_read(session, entity, reader, "golden:search", [hit.id for hit in hits], set(asked.attributes).union(*(h.values for h in hits)))
    return replace(page, items=hits)


def read_lines(session: Session, entity: EntityType, reader: Reader, goldens: Sequence[UUID]) -> dict[UUID, golden.SearchHit]:
    """Several golden records as lists show them, by the id asked for; a merged one as its survivor, none that the reader may not see."""
    policy.check(reader.actor, Verb.READ, entity.name)
    rows = fetch(
        session,
        "select g.id, v.golden_id, v.values from golden_record g join golden_version v on v.golden_id = coalesce(g.merged_into, g.id)"
        " and v.recorded_to is null where g.id = any(%s::uuid[]) and g.domain = %s",
        (array(goldens), entity.name),
    )
    owns = _owns(session, entity, reader.actor, [row[1] for row in rows])
    found: dict[UUID, golden.SearchHit] = {}
    for asked, survivor, values in (row for row in rows if row[1] in owns):
        shown = shown_values(entity, reader.actor, values, owns[survivor])
        found[asked] = golden.SearchHit(survivor, mask.line(entity, shown), shown)
    audit_read(session, entity, reader, "golden:list", [hit.id for hit in found.values()], entity.display)
    return found


def match(
    session: Session,
    entity: EntityType,
    reader: Reader,
    attributes: Mapping[str, Raw],
    identifiers: Sequence[tuple[str, str]],
    *,
    limit: int,
) -> MatchAnswer:
    """Golden records that may be the same entity; the recognising line only for those who may read the domain."""
    policy.check(reader.actor, Verb.MATCH, entity.name)
    model = scorer(session, entity).model
    hidden = withheld(registry(session), entity, reader.actor, model, attributes, identifiers)
    answer = find_alike(session, entity, attributes, identifiers, None if hidden else limit)
    answer = coarse(answer, hidden, limit) if hidden else answer
    seen = policy.visible(session, reader.actor, [result.golden_id for result in answer.results])
    named = reader.actor.systems is None and _sees_names(entity, reader.actor)
    results = tuple(r if named else replace(r, display="") for r in answer.results if r.golden_id in seen)
    audit_read(session, entity, reader, "golden:match", [result.golden_id for result in results], attributes)
    return replace(answer, results=results)


def _sees_names(entity: EntityType, actor: Actor) -> bool:
    """The line holds a birth date: stewards need it to tell people apart, machines without the grant do not."""
    return policy.can(actor, Verb.READ, entity.name) and (not entity.phi or actor.role is Role.STEWARD or PHI in actor.grants)


def _own(session: Session, entity: EntityType, actor: Actor, golden_id: UUID) -> Own | None:
    """None: the reader sees every system. Raises NotFound when nothing of the golden record is in scope."""
    if actor.systems is None:
        return None
    survivor, _ = golden.locate(session, entity, golden_id)
    owns = _owns(session, entity, actor, [survivor])
    if survivor not in owns:
        raise NotFound
    return owns[survivor]


def _owns(session: Session, entity: EntityType, actor: Actor, goldens: Sequence[UUID]) -> Mapping[UUID, Own | None]:
    """The same of several that are not merged away; what is not in the reader's scope is not in the answer."""
    if actor.systems is None:
        return dict.fromkeys(goldens)
    systems, found = registry(session), golden.sources_of(session, goldens)
    own = {each: [view for view in views if policy.in_scope(actor, view.system)] for each, views in found.items()}
    return {each: _said(systems, entity, views) for each, views in own.items() if views}


def _said(systems: SystemRegistry, entity: EntityType, views: Sequence[golden.SourceView]) -> Own:
    said: dict[str, set[str]] = {}
    for view in views:
        for name, raw in view.attributes.items():
            said.setdefault(name, set()).update(_normal_forms(entity, name, raw))
    mentioned = {_normal_identifier(systems, *held) for view in views for held in view.identifiers}
    keys = {(view.system, local_key(view.key)) for view in views}
    return Own(frozenset(v.record_id for v in views), {n: frozenset(v) for n, v in said.items()}, frozenset(mentioned | keys))


def _normal_identifier(systems: SystemRegistry, system: str, raw: str) -> tuple[str, str]:
    """An identifier as the crosswalk holds it: the code for the alias, the normal form for the value."""
    code = systems.resolve(system)
    if code is None:
        return system, raw.strip()
    normal = systems.value_type(code).read(raw).value
    return code, raw.strip() if normal is None else normal


def _normal_forms(entity: EntityType, name: str, raw: object) -> set[str]:
    texts = _texts(raw)
    readings = [entity.attribute(name).type.read(text) for text in texts]
    return {reading.value or "" for reading in readings} | set(texts)


def shown_values(entity: EntityType, actor: Actor, found: Mapping[str, Any], own: Own | None) -> Shown:
    """Attributes cut to what the systems in scope said, and masked; what is left of none is left out."""
    kept = {name: cut for name, value in found.items() if (cut := _cut(value, own, name))}
    return mask.values(entity, actor, kept)


def _cut(value: object, own: Own | None, name: str) -> object:
    """A value, without what only systems outside the scope contributed."""
    if own is None:
        return value
    said = own.values.get(name, frozenset())
    if isinstance(value, list | tuple):
        return [part for part in value if part in said]
    return value if value in said else None


def _provenance(entity: EntityType, actor: Actor, found: Mapping[str, Any], values: Shown, own: Own | None) -> Shown:
    kept = {name: origin for name, origin in found.items() if name in values and _is_known(origin, own)}
    return {name: _origin(entity, actor, name, origin, own) for name, origin in kept.items()}


def _is_known(origin: Mapping[str, Any], own: Own | None) -> bool:
    return own is None or str(origin["record_id"]) in {str(record) for record in own.records}


def _origin(entity: EntityType, actor: Actor, name: str, origin: Mapping[str, Any], own: Own | None) -> Shown:
    losing = [
        {**lost, "value": mask.value(actor, entity.attribute(name), lost["value"])}
        for lost in origin.get("losing", ())
        if _is_known(lost, own)
    ]
    return {**origin, "losing": losing}


def _held(actor: Actor, held: golden.Held) -> golden.Held:
    return replace(held, value=mask.identifier(actor, held.system, held.value))


def _version(entity: EntityType, actor: Actor, version: golden.GoldenVersionView, own: Own | None) -> golden.GoldenVersionView:
    values = shown_values(entity, actor, version.values, own)
    return replace(version, values=values, provenance=_provenance(entity, actor, version.provenance, values, own))


def _source(entity: EntityType, actor: Actor, systems: SystemRegistry, view: golden.SourceView) -> golden.SourceView:
    identifiers = _identifiers(actor, systems, view.identifiers)
    return replace(view, attributes=mask.values(entity, actor, view.attributes), identifiers=identifiers)


def _identifiers(actor: Actor, systems: SystemRegistry, held: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """A source may call an identifier system by an alias; what is secret is known by its code."""
    return tuple((system, mask.identifier(actor, systems.resolve(system) or system, value)) for system, value in held)


def _hit(entity: EntityType, actor: Actor, asked: Question, hit: golden.SearchHit, own: Own | None) -> list[golden.SearchHit]:
    """The hit as this reader may see it, or nothing when only what they may not see answers the question."""
    plain = {name: cut for name, value in hit.values.items() if (cut := _cut(value, own, name))}
    shown = mask.values(entity, actor, plain)
    wanted = {name: value.strip() for name, value in asked.attributes.items() if value.strip()}
    if not answers(entity, ((asked.text or "").strip(), wanted), plain, shown):
        return []
    return [replace(hit, values=shown, display=mask.line(entity, shown))]


def _texts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(part) for part in value] if isinstance(value, list | tuple) else []


def audit_read(session: Session, entity: EntityType, reader: Reader, action: str, subjects: Sequence[UUID], fields: Any) -> None:
    """Who read whom and which fields; only of patients, because reference data is nobody's secret."""
    if entity.phi:
        audit.record(
            session,
            reader.actor,
            action,
            domain=entity.name,
            subjects=subjects,
            fields=sorted(fields),
            request_id=reader.request_id,
            outcome="answered",
        )
