"""The staged rows of a plan brought to matching: few of them with what stands near each, many together with all that is stored."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from uuid import UUID

import numpy as np

from matching.model import Model
from matching.score import Scorer
from mdm.entity import EntityType
from mdm.guard import by_column, guards, heavy_keys, without
from mdm.identifier_rulings import placeholders
from mdm.load_exclusive import exclusive, holders_among, read_holders
from mdm.load_match import Pairs, match
from mdm.load_near import Entry, Few, few_max, key_counts, read_near
from mdm.load_rows import read_compared
from mdm.load_shared import overshared, overshared_with
from mdm.load_source import Source
from mdm.load_staged import REVIEW, StagedPiece, staged_pieces, staged_rows
from mdm.load_verdicts import Matched
from mdm.load_world import Entries, Others, World
from mdm.models import current_scorer
from mdm.pile import Pile
from mdm.running import Run
from mdm.stock import edge_ends, judged_pairs, read_stock
from mdm.systems import registry

Over = Mapping[str, set[str]]  # column -> values that too many hold, or that somebody ruled to be nobody's


def match_staged(run: Run, source: Source, plan_id: UUID, memory_gb: int) -> Matched:
    """What becomes of every row that says something new; `memory_gb` is what comparing in bulk may take before it spills to disk."""
    entity = source.entity
    scorer = run.effect(lambda session: current_scorer(session, entity))
    most = run.effect(lambda session: few_max(session, entity))
    looked_at = run.effect(lambda session: staged_rows(session, plan_id))
    rows = _Rows(source.system, looked_at <= most, Pile(_columns(entity, scorer.model)))
    for pieces in staged_pieces(run, plan_id):
        for piece in pieces:
            rows.add(piece)
    if rows.are_few:
        return _match_few(run, entity, scorer, rows)
    return _match_many(run, entity, scorer.model, rows, memory_gb)


def _columns(entity: EntityType, model: Model) -> set[str]:
    return {*model.columns, *guards(entity), *exclusive(entity)}


@dataclass(slots=True)
class _Rows:
    """The rows of the file as they come; where they are few, each by itself too."""

    system: str
    are_few: bool
    pile: Pile
    numbers: list[int] = field(default_factory=list)
    few: list[Entry] = field(default_factory=list)

    def add(self, piece: StagedPiece) -> None:
        """A row that waits for a person is left out: its stored version stays what it is until then."""
        facts, made, columns = piece.facts, piece.made, piece.columns()
        mine = [place for place, fact in enumerate(made) if facts.planned[fact] != REVIEW]
        if len(mine) < len(made):
            columns = {name: [values[place] for place in mine] for name, values in columns.items()}
        places = [made[place] for place in mine]
        numbers = [facts.numbers[place] for place in places]
        names = [f"{self.system}/{facts.keys[place]}" for place in places]
        stands_for = [_uuid(facts.records[place]) if facts.befores[place] is not None else None for place in places]
        goldens = [_uuid(facts.goldens[place]) for place in places]
        self.pile.add_columns(stands_for, columns, goldens, names)
        self.numbers += numbers
        if self.are_few and mine:
            lines = piece.lines()
            compared = [read_compared(lines[place]) for place in mine]
            self.few += map(Entry, numbers, names, *zip(*compared, strict=True), stands_for, goldens)

    def without(self, over: Over, entity: EntityType) -> Entries:
        stripped = self.pile.strip(over)
        claimed = {column: self.pile.held(column) for column in exclusive(entity)}
        return Entries(self.pile, np.array(self.numbers, dtype=np.int64), stripped, claimed)


def _uuid(text: str | None) -> UUID | None:
    return None if text is None else UUID(text)


def _match_many(run: Run, entity: EntityType, model: Model, rows: _Rows, memory_gb: int) -> Matched:
    stock = read_stock(run.database, entity, _columns(entity, model))
    heavy = heavy_keys(run, entity)
    over = by_column(overshared(entity, stock, rows.pile, heavy) | _ruled_out(run, entity))
    stock.strip(over)
    entries = rows.without(over, entity)
    others = Others(stock, judged_pairs(run.database, entity), holders_among(stock, entries.exclusive))

    def compare(world: World) -> AbstractContextManager[Pairs]:
        from mdm.load_bulk import compared  # noqa: PLC0415  (Splink and DuckDB: seconds that small plans do without)

        return compared(model, memory_gb, stock, edge_ends(run.database, entity), world)

    return match(model, others, entries, compare)


def _match_few(run: Run, entity: EntityType, scorer: Scorer, rows: _Rows) -> Matched:
    ruled_out = _ruled_out(run, entity)
    over = by_column(overshared_with(entity, rows.pile, key_counts(run, rows.few)) | ruled_out)
    few = [replace(each, columns=without(each.columns, over)[0]) for each in rows.few] if over else rows.few
    near = read_near(run, entity, scorer, few, over)
    stock = Pile(())
    stock.add(near.stock.ids, near.stock.columns, near.stock.golden_ids, near.stock.names)

    def compare(world: World) -> nullcontext[Few]:
        stored = [without(columns, over)[0] for columns in near.stock.columns]
        columns = world.columns(stored, [each.columns for each in few])
        return nullcontext(Few.of(scorer, columns, world.places, few, near))

    claims = {(column, value) for column, system in exclusive(entity).items() for each in few for value in each.identifiers.get(system, ())}
    others = Others(stock, near.judged, read_holders(run, entity, claims))
    return match(scorer.model, others, rows.without(over, entity), compare)


def _ruled_out(run: Run, entity: EntityType) -> set[tuple[str, str]]:
    return run.effect(lambda session: placeholders(session, entity, registry(session)))
