"""Two edges, each fine alone, would together be a loop: told at the same moment, one of them is refused, every time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.errors import HierarchyLoop
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.relate import Author, relate
from mdm.standardise import Delivery
from mdm.statements import Assertion

CENTER = ENTITY_TYPES["cost_center"]
ROUNDS = 12


def delivery(key, *parents):
    said = [Assertion("rolls_up_to", "erp-north", parent) for parent in parents]
    return Delivery("erp-north", key, {"name": f"Unit {key} Services", "company": "0100", "code": key}, relationships=said)


def at_once(*acts):
    barrier = Barrier(len(acts))

    def run(act):
        barrier.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_two_deliveries(clean_database):
    for n in range(ROUNDS):
        a, b = f"{n}A", f"{n}B"
        deliver_all(clean_database, CENTER, SYSTEM_ACTOR, [delivery(a), delivery(b)], "test")

        def tell(key, parent):
            return deliver_all(clean_database, CENTER, SYSTEM_ACTOR, [delivery(key, parent)], "test")[0].outcome

        outcomes = at_once(lambda a=a, b=b: tell(a, b), lambda a=a, b=b: tell(b, a))
        assert sorted(outcomes) == ["rejected", "updated"]
    with clean_database.unit_of_work() as session:
        assert violations(session, deep=True) == []


def test_two_stewards(clean_database):
    for n in range(ROUNDS):
        made = deliver_all(clean_database, CENTER, SYSTEM_ACTOR, [delivery(f"{n}A"), delivery(f"{n}B")], "test")
        first, second = (result.golden_id for result in made)

        def say(subject, target):
            author = Author(SYSTEM_ACTOR, "", "test")
            try:
                clean_database.run(lambda session: relate(session, CENTER, subject, author, Assertion("rolls_up_to", golden_id=target)))
            except HierarchyLoop:
                return "refused"
            return "said"

        assert sorted(at_once(lambda a=first, b=second: say(a, b), lambda a=first, b=second: say(b, a))) == ["refused", "said"]
    with clean_database.unit_of_work() as session:
        assert violations(session, deep=True) == []


def test_an_edge_and_the_key_it_names(clean_database):
    """Whoever comes first: the edge finds its end."""
    for n in range(ROUNDS):
        child, parent = f"{n}C", f"{n}P"

        def tell(row):
            return deliver_all(clean_database, CENTER, SYSTEM_ACTOR, [row], "test")[0].outcome

        at_once(lambda c=child, p=parent: tell(delivery(c, p)), lambda p=parent: tell(delivery(p)))
    with clean_database.unit_of_work() as session:
        assert violations(session, deep=True) == []
