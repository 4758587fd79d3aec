"""Laws of relationships, over random deliveries, stewards' words and merges: edges are always what a derivation from scratch gives.

`violations(deep=True)` derives every edge again, and looks for loops on every day.
"""

from contextlib import suppress
from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, Invalid, NotFound
from mdm.ingest import deactivate, deliver_all
from mdm.invariants import violations
from mdm.relate import Author, end, relate
from mdm.standardise import Delivery
from mdm.statements import Assertion
from mdm.tasks import Ruling, decide, list_tasks
from tests.conftest import empty
from tests.relationships.conftest import edges

CENTER = ENTITY_TYPES["cost_center"]
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
SYSTEMS = ("erp-north", "workforce-north")
KEYS = ("1", "2", "3", "4")
DAYS = (None, date(2026, 1, 1), date(2026, 7, 1), date(2027, 1, 1))
AUTHOR = Author(SYSTEM_ACTOR, "said", "test")


@st.composite
def periods(draw: st.DrawFn) -> tuple[date | None, date | None]:
    start, last = draw(st.sampled_from(DAYS)), draw(st.sampled_from((None, None, date(2026, 6, 30), date(2026, 12, 31))))
    return (start, last) if start is None or last is None or start <= last else (start, None)


@st.composite
def said(draw: st.DrawFn) -> Assertion:
    name = draw(st.sampled_from(("rolls_up_to", "rolls_up_to", "replaced_by")))
    tree = draw(st.sampled_from((None, None, "budget"))) if name == "rolls_up_to" else None
    return Assertion(name, draw(st.sampled_from(SYSTEMS)), draw(st.sampled_from(KEYS)), None, tree, *draw(periods()))


@st.composite
def deliveries(draw: st.DrawFn) -> Delivery:
    """Cost centers of a few names: some are one by their name and code, some wait for review, some name each other's keys."""
    system, key = draw(st.sampled_from(SYSTEMS)), draw(st.sampled_from(KEYS))
    number = draw(st.sampled_from(KEYS[:3]))
    attributes: dict[str, Any] = {"name": f"Ward {'ABC'[int(number) - 1]} Nursing", "company": "0100"}
    if draw(st.booleans()):
        attributes["code"] = f"07{number}0"
    identifiers = draw(st.sampled_from(((), (), (("erp-north", "1"),), (("workforce-north", "2"),))))
    start, last = draw(st.sampled_from(((None, None), (date(2026, 1, 1), None), (date(2026, 7, 1), None))))
    return Delivery(system, key, attributes, identifiers, "active", start, last, draw(st.none() | st.lists(said(), max_size=3)))


steps = st.one_of(
    deliveries().map(lambda each: ("deliver", each)),
    deliveries().map(lambda each: ("deliver", each)),
    st.tuples(st.just("say"), st.tuples(said(), st.integers(0, 5), st.integers(0, 5))),
    st.tuples(st.just("take back"), st.integers(0, 5)),
    st.tuples(st.just("same"), st.none()),
    st.tuples(st.just("gone"), st.tuples(st.sampled_from(SYSTEMS), st.sampled_from(KEYS))),
)


def act(database: Database, step: tuple[str, Any]) -> None:
    what, about = step
    if what == "deliver":
        deliver_all(database, CENTER, SYSTEM_ACTOR, [about], "test")
    elif what == "gone":
        with suppress(NotFound):
            deactivate(database, CENTER, SYSTEM_ACTOR, *about, "test")
    else:
        with suppress(Conflict, Invalid), database.unit_of_work() as session:
            _speak(session, what, about)


def _speak(session: Any, what: str, about: Any) -> None:
    goldens = [row[0] for row in fetch(session, "select id from golden_record order by id")]
    claims = [row[0] for row in fetch(session, "select id from relationship_claim where subject_id is not null order by id")]
    if what == "same":
        for task in list_tasks(session, kind="review").items[:1]:
            decide(session, CENTER, task.id, SYSTEM_ACTOR, Ruling("same", task.version, task.goldens[1]), "test")
    elif what == "say" and goldens:
        each, subject, target = about
        asserted = Assertion(each.type, None, None, goldens[target % len(goldens)], each.tree, each.valid_from, each.valid_to)
        relate(session, CENTER, goldens[subject % len(goldens)], AUTHOR, asserted)
    elif what == "take back" and claims:
        end(session, claims[about % len(claims)], AUTHOR, None)


@SLOW
@given(st.lists(steps, min_size=3, max_size=14))
def test_edges_are_what_claims_and_links_give_after_every_act(database, acts):
    empty(database)
    for step in acts:
        act(database, step)
        with database.unit_of_work() as session:
            assert violations(session, deep=True) == []


@SLOW
@given(st.lists(deliveries(), min_size=2, max_size=7), st.randoms(use_true_random=False))
def test_the_order_of_arrival_never_matters(database, given_ones, rng):
    """As long as nothing is refused: of a loop, whoever comes last is."""
    unique = list({(each.system, each.key): each for each in given_ones}.values())
    empty(database)
    first = [each.outcome for each in deliver_all(database, CENTER, SYSTEM_ACTOR, unique, "test")]
    before = by_name(database)
    empty(database)
    shuffled = rng.sample(unique, len(unique))
    second = [each.outcome for each in deliver_all(database, CENTER, SYSTEM_ACTOR, shuffled, "test")]
    if "rejected" not in {*first, *second} and not looped(database):
        assert by_name(database) == before


def by_name(database: Database) -> set[tuple[Any, ...]]:
    """Edges between sets of source keys."""
    with database.unit_of_work() as session:
        names = dict(
            fetch(
                session,
                "select l.golden_id, string_agg(r.system || '/' || r.key, ' ' order by r.system, r.key) from link l"
                " join source_record r on r.id = l.record_id where l.recorded_to is null group by l.golden_id",
            )
        )
    return {(names[subject], name, tree, names[target], *days) for subject, name, tree, target, *days in edges(database)}


def looped(database: Database) -> bool:
    with database.unit_of_work() as session:
        return bool(fetch(session, "select 1 from relationship where looped"))
