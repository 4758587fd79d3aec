"""Rows of a file that would put something above itself: found before they are staged, so that plan and apply agree.

Followed is what rows say of their own parents, and what stands in force above these. Where dates speak, or several records of a golden
record name its parent, only deriving can tell which edge will stand: such rows are left to applying, which refuses what closes a loop.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, fetch
from mdm.entity import EntityType
from mdm.errors import FieldProblem, HierarchyLoop
from mdm.load_source import Source
from mdm.load_table import RowProblem, RowReject, Table
from mdm.load_targets import RELATIONSHIP, end_of
from mdm.load_values import Converter
from mdm.relationships import is_chain, rule_of
from mdm.running import Run
from mdm.standardise import Delivery, Standard
from mdm.statements import MAIN_TREE, normal_assertions
from mdm.systems import SystemRegistry, registry

_ROWS = 5_000
_PLACES = 20_000  # that one statement asks about
_SHOWN = 8  # places of a way round that are named

T = TypeVar("T")
Place = tuple[str, str]  # system, key
Node = Place | UUID  # a golden record where there is one
Tree = tuple[str, str]  # type, tree


@dataclass(frozen=True, slots=True)
class _Edge:
    """What a row says: whom it belongs to."""

    no: int
    child: Place
    parent: Place


@dataclass(slots=True)
class _File:
    """What all sound rows say together. `keys`: of all of them, whether or not they name a parent."""

    keys: set[str] = field(default_factory=set)
    edges: dict[Tree, list[_Edge]] = field(default_factory=dict)


def closing(run: Run, source: Source, table: Table) -> dict[int, RowReject]:
    """The rows that close a loop, of each loop the last one, by number."""
    ends = {end_of(each.target): each.column for each in source.columns if each.target.startswith(RELATIONSHIP)}
    chains = {end.type for end in ends if is_chain(source.entity.name, end.type)}
    if not chains:
        return {}
    said = _read(run, source, table, chains, run.effect(registry))
    columns = {(end.type, _tree(source, end.type, end.tree)): column for end, column in ends.items()}
    return {no: reject for tree, edges in said.edges.items() for no, reject in _in_tree(run, source, said, tree, edges, columns[tree])}


def in_words(session: Session, entity: EntityType, load_id: UUID, row: Standard, problems: Sequence[FieldProblem]) -> list[FieldProblem]:
    """What applying found against a row, a loop by the file's column and keys: nobody knows a row of the file by its golden id."""
    if all(each.code != HierarchyLoop.code for each in problems):
        return list(problems)
    columns = fetch(session, "select options -> 'columns' from load where id = %s", (load_id,))[0][0]
    said = {each.type: each.value for each in row.relationships or () if each.value is not None and is_chain(entity.name, each.type)}
    named = [column for target, column in columns if target.startswith(RELATIONSHIP) and end_of(target).type in said]
    fix = f"{row.delivery.key} would be above itself, since {' or '.join(said.values())} stands below it: correct {' or '.join(named)}"
    return [FieldProblem(HierarchyLoop.code, ", ".join(named), fix)]


def _tree(source: Source, name: str, said: str | None) -> str:
    rule = rule_of(source.entity.name, name)
    return said or MAIN_TREE if rule is not None and rule.hierarchy else ""


def _read(run: Run, source: Source, table: Table, chains: Collection[str], systems: SystemRegistry) -> _File:
    found = _File()
    converter = Converter(source.entity, source.system, table.header, source.columns, source.steps)
    for number, batch in enumerate(table.batches(_ROWS)):
        if number % 10 == 0:
            run.tell_far("reading", 0)  # which is where a job that is to end ends
        rows = [*zip(*converter.repair_columns(batch.columns), strict=True)]
        bad = converter.screen(rows)
        for place, no in enumerate(batch.numbers):
            if place not in bad:
                _add(found, source, no, converter.deliver_sound(rows[place]), chains, systems)
    return found


def _add(found: _File, source: Source, no: int, row: Delivery, chains: Collection[str], systems: SystemRegistry) -> None:
    if row.key in found.keys:
        return
    found.keys.add(row.key)
    if row.status != "active" or row.valid_from is not None or row.valid_to is not None:
        return
    for said in normal_assertions(source.entity, row.relationships or (), systems):
        if said.type in chains and said.system is not None and said.value is not None:
            edge = _Edge(no, (source.system, row.key), (said.system, said.value))
            found.edges.setdefault((said.type, said.tree or ""), []).append(edge)


def _in_tree(run: Run, source: Source, said: _File, tree: Tree, edges: Sequence[_Edge], column: str) -> Iterator[tuple[int, RowReject]]:
    places = sorted({place for edge in edges for place in (edge.child, edge.parent)})
    asked = {"domain": source.entity.name, "type": tree[0], "tree": tree[1]}
    goldens = {(row[0], row[1]): row[2] for some in _pieces(places) for row in run.effect(partial(_goldens, places=some, asked=asked))}
    keys = [edge.child[1] for edge in edges]
    old = {tuple(row) for some in _pieces(keys) for row in run.effect(partial(_claims, system=source.system, keys=some, asked=asked))}
    known = sorted({*goldens.values()})
    above = {tuple(row) for some in _pieces(known) for row in run.effect(partial(_above, goldens=some, asked=asked))}
    ways = _Ways(names={golden: key for (_, key), golden in goldens.items()})
    for edge in edges:
        is_fresh = (edge.child[1], *edge.parent) not in old
        ways.add(goldens.get(edge.child, edge.child), goldens.get(edge.parent, edge.parent), edge.no if is_fresh else None)
    for child, parent, has_dates, system, key in above:
        if system != source.system or key not in said.keys:  # what a row says takes the place of what its record said
            ways.add(child, parent, None)
            ways.names.setdefault(child, key or str(child))
            ways.unsure |= {child} if has_dates else set()
    for way in ways.round():
        numbers = [no for node in way if (no := ways.parents[node][0][1]) is not None]
        if numbers:
            yield max(numbers), _reject(column, [ways.name(node) for node in way])


def _reject(column: str, names: Sequence[str]) -> RowReject:
    shown = [*names[:_SHOWN], *(["…"] if len(names) > _SHOWN else []), names[0]]
    fix = f"{' -> '.join(shown)} leads back to where it begins, so nothing would be on top: correct {column} in one of these rows"
    return RowReject((RowProblem("hierarchy_loop", column, fix),))


@dataclass(slots=True)
class _Ways:
    """Who is said to be above whom, and by which new row (None: that stands already). `unsure`: of these it depends on the day."""

    names: dict[Node, str]
    unsure: set[Node] = field(default_factory=set)
    parents: dict[Node, list[tuple[Node, int | None]]] = field(default_factory=dict)

    def add(self, child: Node, parent: Node, no: int | None) -> None:
        self.parents.setdefault(child, []).append((parent, no))

    def name(self, node: Node) -> str:
        return node[1] if isinstance(node, tuple) else self.names.get(node, str(node))

    def round(self) -> Iterator[list[Node]]:
        """Every way that leads back to where it begins, once. Who has several parents said for them is no step of any."""
        done: set[Node] = set()
        for start in self.parents:
            way: dict[Node, None] = {}
            node: Node | None = start
            while node is not None and node not in done and node not in way:
                way[node] = None
                above = self.parents.get(node, ())
                node = above[0][0] if len(above) == 1 and node not in self.unsure else None
            if node is not None and node in way:
                nodes = [*way]
                yield nodes[nodes.index(node) :]
            done |= way.keys()


def _pieces(all_of_them: Sequence[T]) -> Iterable[Sequence[T]]:
    return (all_of_them[start : start + _PLACES] for start in range(0, len(all_of_them), _PLACES))


def _goldens(session: Session, *, places: Sequence[Place], asked: Mapping[str, Any]) -> list[Any]:
    systems, keys = [system for system, _ in places], [key for _, key in places]
    return fetch(session, _GOLDENS, {**asked, "systems": systems, "keys": keys})


# Place by place, whatever the planner believes of the tables
_GOLDENS: LiteralString = (
    "select w.system, w.key, l.golden_id from unnest(%(systems)s::text[], %(keys)s::text[]) w(system, key) cross join lateral"
    " (select id from source_record where domain = %(domain)s and system = w.system and key = w.key offset 0) r cross join lateral"
    " (select golden_id from link where record_id = r.id and recorded_to is null offset 0) l"
)


def _claims(session: Session, *, system: str, keys: Sequence[str], asked: Mapping[str, Any]) -> list[Any]:
    return fetch(session, _CLAIMS, {**asked, "system": system, "keys": list(keys)})


_CLAIMS: LiteralString = (
    "select w.key, c.target_system, c.target_key from unnest(%(keys)s::text[]) w(key) cross join lateral"
    " (select id from source_record where domain = %(domain)s and system = %(system)s and key = w.key offset 0) r cross join lateral"
    " (select target_system, target_key from relationship_claim where record_id = r.id and type = %(type)s and tree = %(tree)s"
    " and recorded_to is null and valid_from is null and valid_to is null and target_key is not null offset 0) c"
)


def _above(session: Session, *, goldens: Sequence[UUID], asked: Mapping[str, Any]) -> list[Any]:
    return fetch(session, _ABOVE, {**asked, "goldens": array(goldens)})


_ABOVE: LiteralString = (
    "with recursive up(id) as (select unnest(%(goldens)s::uuid[]) union select r.target_id from up join relationship r"
    " on r.subject_id = up.id and r.domain = %(domain)s and r.type = %(type)s and r.tree = %(tree)s and r.recorded_to is null)"
    " select r.subject_id, r.target_id, r.valid_from is not null or r.valid_to is not null, s.system, s.key from up join relationship r"
    " on r.subject_id = up.id and r.domain = %(domain)s and r.type = %(type)s and r.tree = %(tree)s and r.recorded_to is null"
    " join relationship_claim c on c.id = r.claim_id left join source_record s on s.id = c.record_id"
)
