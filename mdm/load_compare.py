"""The staged rows of a plan brought to matching: few of them with what stands near each, many together with all that is stored."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from uuid import UUID

from matching.model import Model
from mdm.entity import EntityType
from mdm.guard import Shared, by_column, guards, heavy_keys, overshared, without
from mdm.identifier_rulings import placeholders
from mdm.load_match import Entry, Matched, Others, Pairs, World, match
from mdm.load_near import FEW_MAX, Few, Keyed, is_few, key_counts, read_near
from mdm.load_rows import read_compared
from mdm.load_source import Source
from mdm.load_stage import staged_count, staged_piece
from mdm.models import current_scorer
from mdm.running import Run
from mdm.slim import Slimming
from mdm.stock import Stock, read_pairs, read_stock
from mdm.systems import registry


def match_staged(run: Run, source: Source, plan_id: UUID, memory_gb: int) -> Matched:
    """What becomes of every row that says something new; `memory_gb` is what comparing in bulk may take before it spills to disk."""
    entity = source.entity
    few = _few(run, source, plan_id)
    if few is not None:
        return _match_few(run, entity, few)
    model = run.effect(lambda session: current_scorer(session, entity).model)
    slimming = Slimming({*model.columns, *guards(entity), *_exclusive(entity)})
    entries = [replace(keyed.entry, columns=slimming.slim(keyed.entry.columns)) for keyed in _keyed(run, source, plan_id)]
    stock = read_stock(run.database, entity, slimming.slim)
    heavy = run.effect(lambda session: heavy_keys(session, entity))
    over = overshared(entity, stock.columns, [entry.columns for entry in entries], heavy) | _ruled_out(run, entity)
    stock, entries = _without(stock, entries, over)
    judged = [pair for pair in read_pairs(run.database, entity) if pair.verdict is not None]
    return match(model, Others(stock, judged), entries, _exclusive(entity), partial(_in_bulk, model, memory_gb))


def _in_bulk(model: Model, memory_gb: int, world: World) -> AbstractContextManager[Pairs]:
    from matching.bulk import Room  # noqa: PLC0415
    from mdm.load_bulk import compared  # noqa: PLC0415

    return compared(model, Room(f"{memory_gb}GB"), world)


def _match_few(run: Run, entity: EntityType, few: Sequence[Keyed]) -> Matched:
    scorer = run.effect(lambda session: current_scorer(session, entity))
    near = run.effect(lambda session: read_near(session, entity, scorer.model, few))
    least = min(guards(entity).values(), default=0)
    heavy = run.effect(lambda session: key_counts(session, few, least)) if least else {}
    entries = [keyed.entry for keyed in few]
    over = overshared(entity, near.stock.columns, [entry.columns for entry in entries], heavy) | _ruled_out(run, entity)
    stock, entries = _without(near.stock, entries, over)

    def compare(world: World) -> nullcontext[Few]:
        return nullcontext(Few.of(scorer, world, few, near))

    return match(scorer.model, Others(stock, near.judged), entries, _exclusive(entity), compare)


def _ruled_out(run: Run, entity: EntityType) -> set[tuple[str, str]]:
    return run.effect(lambda session: placeholders(session, entity, registry(session)))


def _without(stock: Stock, entries: list[Entry], over: set[tuple[str, str]]) -> tuple[Stock, list[Entry]]:
    """Without the values that too many hold, or that somebody ruled to be nobody's."""
    if not over:
        return stock, entries
    shared = by_column(over)
    kept = replace(stock, columns=[without(columns, shared)[0] for columns in stock.columns])
    return kept, [_stripped(entry, shared) for entry in entries]


def _stripped(entry: Entry, over: Shared) -> Entry:
    columns, lost = without(entry.columns, over)
    return replace(entry, columns=columns, stripped=True) if lost else entry


def _exclusive(entity: EntityType) -> list[str]:
    return [rule.name for rule in entity.identifiers if rule.exclusive]


def _few(run: Run, source: Source, plan_id: UUID) -> list[Keyed] | None:
    """All rows that matching has to look at; None where they are many."""
    found: list[Keyed] = []
    for keyed in _keyed(run, source, plan_id):
        found.append(keyed)
        if len(found) > FEW_MAX:
            return None
    return found if run.effect(lambda session: is_few(session, source.entity, len(found))) else None


def _keyed(run: Run, source: Source, plan_id: UUID) -> Iterator[Keyed]:
    for number in range(run.effect(partial(staged_count, plan_id=plan_id))):
        facts, lines = run.effect(partial(staged_piece, plan_id=plan_id, number=number))
        by_number = {fact.no: fact for fact in facts}
        for text in lines:
            no, record, columns, keys = read_compared(text)
            fact = by_number[no]
            if fact.planned != "review":  # its stored version stays what it is until a person decides
                known = record if fact.before is not None else None
                yield Keyed(Entry(no, f"{source.system}/{fact.key}", columns, known, fact.golden_id), keys)
