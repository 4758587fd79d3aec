"""Nothing is above itself. Edges that would close a loop on any day are found and put out of force.

Of every loop the youngest claim yields: a function of the edges alone, whatever was derived first. An act that would itself close a loop
is refused (`refuse`); a loop that comes about otherwise, by a merge, say, leaves its youngest edge marked.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, execute, fetch
from mdm.errors import FieldProblem, HierarchyLoop

Tree = tuple[str, str, str]  # domain, type, tree


@dataclass(frozen=True, slots=True)
class Loop:
    """A way round: the golden records on it in order, the claims that make it, and the edge that yields, if there is one."""

    tree: Tree
    goldens: tuple[UUID, ...]
    claims: frozenset[UUID]
    yields: int | None

    def __str__(self) -> str:
        domain, name, tree = self.tree
        way = " -> ".join(str(golden) for golden in (*self.goldens, self.goldens[0]))
        return f"{domain} {name}{f' in tree {tree}' if tree else ''}: {way}"


def refuse(loops: Iterable[Loop], claims: Collection[UUID], pointer: str) -> None:
    """Raise HierarchyLoop if one of these claims closes a loop; nothing of their transaction is to be kept."""
    closed = [loop for loop in loops if not loop.claims.isdisjoint(claims)]
    if closed:
        problems = tuple(FieldProblem(HierarchyLoop.code, pointer, str(loop)) for loop in closed)
        raise HierarchyLoop(f"the relationship would close a loop: {closed[0]}", problems)


def settle_loops(session: Session, trees: Collection[Tree], fresh: Collection[int]) -> list[Loop]:
    """Mark what yields in these trees, and unmark what need not any more; `fresh` edges are new. The caller holds the trees' locks."""
    marked = _marked(session, trees)
    loops = find_loops(session, [*fresh, *marked])
    yielding = {loop.yields for loop in loops if loop.yields is not None}
    toggle(session, yielding ^ marked)
    return loops


def _marked(session: Session, trees: Collection[Tree]) -> set[int]:
    if not trees:
        return set()
    domains, types, names = zip(*sorted(trees), strict=True)
    rows = fetch(
        session,
        "select r.id from unnest(%s::text[], %s::text[], %s::text[]) t(domain, type, tree) join relationship r"
        " on r.domain = t.domain and r.type = t.type and r.tree = t.tree and r.recorded_to is null and r.looped",
        (list(domains), list(types), list(names)),
    )
    return {row[0] for row in rows}


def find_loops(session: Session, edges: Sequence[int]) -> list[Loop]:
    """Every loop, on whatever day, in which one of these open edges has a part."""
    if not edges:
        return []
    found: dict[frozenset[int], Loop] = {}
    for ids, claims, goldens, *tree in fetch(session, _LOOPS, (array(edges),)):
        youngest = max(zip(claims, ids, strict=True))[1]
        found.setdefault(frozenset(ids), Loop((tree[0], tree[1], tree[2]), tuple(goldens), frozenset(claims), youngest))
    return list(found.values())


# Up from each edge, through days that all edges of the way have in common, until it comes round to where it began.
_LOOPS = (
    "with recursive walk(start, ids, claims, goldens, domain, type, tree, node, days) as ("
    " select r.subject_id, array[r.id], array[r.claim_id], array[r.subject_id], r.domain, r.type, r.tree, r.target_id,"
    " daterange(r.valid_from, r.valid_to, '[]') from relationship r where r.id = any(%s::bigint[]) and r.recorded_to is null"
    " union all select w.start, w.ids || r.id, w.claims || r.claim_id, w.goldens || r.subject_id, w.domain, w.type, w.tree, r.target_id,"
    " w.days * daterange(r.valid_from, r.valid_to, '[]') from walk w join relationship r on r.subject_id = w.node and r.type = w.type"
    " and r.tree = w.tree and r.domain = w.domain and r.recorded_to is null and r.id <> all(w.ids)"
    " and w.days && daterange(r.valid_from, r.valid_to, '[]') where w.node <> w.start)"
    " select ids, claims, goldens, domain, type, tree from walk where node = start"
)


def toggle(session: Session, edges: Collection[int]) -> None:
    """Mark or unmark edges: the former row ends, the next one says otherwise."""
    if not edges:
        return
    execute(session, "update relationship set recorded_to = clock_timestamp() where id = any(%s::bigint[])", (array(edges),))
    execute(
        session,
        "insert into relationship (domain, type, tree, subject_id, target_id, valid_from, valid_to, claim_id, slot, looped, recorded_from)"
        " select domain, type, tree, subject_id, target_id, valid_from, valid_to, claim_id, slot, not looped, recorded_to"
        " from relationship where id = any(%s::bigint[])",
        (array(edges),),
    )
