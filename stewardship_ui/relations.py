"""The relationships of one golden record: in words, by type, and drawn around it on demand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, pi, sin
from typing import Any
from uuid import UUID

from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.related import EdgeView, IdleClaim, Related

DRAWN_MAX = 16  # a drawing of more is no longer read by anybody
_WIDE, _HIGH = 880, 440
_LINE_MAX = 28

STATES: Mapping[str, str] = {
    "pending": "nobody knows the key at the other end yet",
    "overruled": "somebody is believed more, or said otherwise later",
    "looped": "it would close a loop",
    "same_record": "both ends are one golden record by now",
}


@dataclass(frozen=True, slots=True)
class Spoke:
    """One neighbour in the drawing: where it stands, and which way the arrow points."""

    edge: EdgeView
    title: str
    line: str
    x: float
    y: float
    middle_x: float
    middle_y: float
    anchor: str


def title_of(entity: EntityType, edge: EdgeView) -> str:
    """The relationship as this end calls it: the declared title, or the name that the other domain's type has from here."""
    if edge.direction == "out":
        rule = entity.relationship(edge.type)
        return rule.title if rule else edge.type
    rule = ENTITY_TYPES[edge.domain].relationship(edge.type)
    return (rule.inverse if rule else edge.type).replace("_", " ").capitalize()


def grouped(entity: EntityType, edges: Sequence[EdgeView]) -> dict[str, list[EdgeView]]:
    """The edges by what they are called, with the tree where there is one."""
    found: dict[str, list[EdgeView]] = {}
    for edge in edges:
        tree = f" ({edge.tree})" if edge.tree else ""
        found.setdefault(title_of(entity, edge) + tree, []).append(edge)
    return found


def tab(entity: EntityType, golden_id: UUID, line: str, edges: Related) -> dict[str, Any]:
    return {
        "edges": grouped(entity, edges.items),
        "more_edges": edges.next is not None,
        "idle": [(each, _idle_title(entity, each), STATES.get(each.state, each.state)) for each in edges.idle],
        "spokes": drawn(entity, edges.items),
        "left_out": max(0, len(edges.items) - DRAWN_MAX),
        "centre": short(line or str(golden_id)[-6:]),
        "types": [(rule.name, rule.title) for rule in entity.relationships],
        "found_lines": (),
        "said": {},
    }


def _idle_title(entity: EntityType, claim: IdleClaim) -> str:
    rule = entity.relationship(claim.type)
    return rule.title if rule else claim.type


def drawn(entity: EntityType, edges: Sequence[EdgeView]) -> list[Spoke]:
    """The neighbours around the golden record, what belongs together side by side, beginning at the top."""
    kept = sorted(edges, key=lambda edge: (edge.direction, title_of(entity, edge), edge.display or ""))[:DRAWN_MAX]
    return [_spoke(entity, edge, 2 * pi * place / len(kept) - pi / 2) for place, edge in enumerate(kept)]


def _spoke(entity: EntityType, edge: EdgeView, angle: float) -> Spoke:
    across, down = cos(angle), sin(angle)
    x, y = _WIDE / 2 + across * 260, _HIGH / 2 + down * 175
    anchor = "middle" if abs(across) < 0.2 else "start" if across > 0 else "end"
    return Spoke(edge, title_of(entity, edge), short(edge.display or ""), x, y, _WIDE / 2 + across * 150, _HIGH / 2 + down * 100, anchor)


def short(text: str) -> str:
    return text if len(text) <= _LINE_MAX else text[: _LINE_MAX - 1] + "…"
