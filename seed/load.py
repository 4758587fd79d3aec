"""The demo world through the real delivery path, and how well it was understood.

The truth that the generator knows never reaches Concord; `check` compares it with the golden records that came out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from uuid import UUID

from matching.evaluate import Quality, pairwise
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.standardise import Delivery as Incoming
from mdm.statements import Assertion
from mdm.systems import put_system
from seed.delivery import Delivery, Edge, SystemSpec
from seed.load_mappings import load_mappings
from seed.world import SYSTEMS, World, build_world

REQUEST_ID = "seed"
_BATCH = 400


@dataclass(frozen=True, slots=True)
class Progress:
    """So many of so many rows of a domain are in."""

    domain: str
    done: int
    total: int


def load_world(database: Database, world: World, report: Callable[[Progress], None]) -> int:
    """Register the systems, deliver every record, write the mapping sets; the number of rows that were refused."""
    _register(database, world.systems)
    refused = deliver_world(database, world.deliveries, report)
    load_mappings(database, world)
    return refused


def load_demo(database: Database, report: Callable[[Progress], None]) -> int:
    """The whole demo world, patients beside the other domains in two processes: domains share no locks."""
    _register(database, SYSTEMS)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        beside = pool.submit(_deliver_the_rest, database.url)
        world = build_world()
        refused = deliver_world(database, [d for d in world.deliveries if d.domain == "patient"], report)
        report(Progress("other domains, in a second process", 0, 0))
        refused += beside.result()
    load_mappings(database, world)
    return refused


def _deliver_the_rest(url: str) -> int:
    database = Database(url)
    try:
        return deliver_world(database, build_world(patients=0).deliveries, lambda _: None)
    finally:
        database.close()


def _register(database: Database, systems: Iterable[SystemSpec]) -> None:
    with database.unit_of_work() as session:
        for s in systems:
            put_system(session, s.code, name=s.name, kind=s.kind, organization=s.organization, aliases=s.aliases)


def deliver_world(database: Database, deliveries: Sequence[Delivery], report: Callable[[Progress], None]) -> int:
    refused = 0
    for domain, rows in _by_domain(deliveries):
        entity = ENTITY_TYPES[domain]
        for start in range(0, len(rows), _BATCH):
            batch = [_incoming(row) for row in rows[start : start + _BATCH]]
            refused += sum(r.outcome == "rejected" for r in deliver_all(database, entity, SYSTEM_ACTOR, batch, REQUEST_ID))
            report(Progress(domain, start + len(batch), len(rows)))
    return refused


def _by_domain(deliveries: Iterable[Delivery]) -> Iterator[tuple[str, list[Delivery]]]:
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.domain, []).append(delivery)
    yield from found.items()


def _incoming(row: Delivery) -> Incoming:
    said = None if row.relationships is None else [_assertion(edge) for edge in row.relationships]
    return Incoming(row.system, row.key, row.attributes, row.identifiers, row.status, row.valid_from, row.valid_to, said)


def _assertion(edge: Edge) -> Assertion:
    return Assertion(edge.type, edge.system, edge.key, None, edge.tree, edge.valid_from, edge.valid_to)


def check(database: Database, world: World | None = None) -> dict[str, Quality]:
    """Per domain, the golden records against the truth."""
    world = world or build_world()
    found: dict[str, dict[str, UUID]] = {}
    with database.unit_of_work() as session:
        rows = fetch(
            session,
            "select r.domain, r.system, r.key, l.golden_id from source_record r"
            " join link l on l.record_id = r.id and l.recorded_to is null",
        )
    for domain, system, key, golden_id in rows:
        if (domain, system, key) in world.truth:
            found.setdefault(domain, {})[f"{system}/{key}"] = golden_id
    truth: dict[str, dict[str, str]] = {}
    for (domain, system, key), entity in world.truth.items():
        truth.setdefault(domain, {})[f"{system}/{key}"] = entity
    return {domain: pairwise(found.get(domain, {}), truth[domain]) for domain in truth}
