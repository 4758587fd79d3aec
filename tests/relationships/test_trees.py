"""What is below a golden record, however many that is."""

from collections import defaultdict
from datetime import date
from random import Random

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.reading import Reader
from mdm.trees import When, subtree

CENTER, DAY = ENTITY_TYPES["cost_center"], date(2026, 7, 1)
COUNT = 260  # more than are reached step by step


@pytest.fixture
def parents(send_all):
    """Golden id -> that of its parent, in a tree of many families."""
    chance = Random(5)
    above = {n: chance.randrange(max(0, n - 40), n) for n in range(1, COUNT)}
    rows = [(f"{n:04}", ("rolls_up_to", f"{above[n]:04}")) if n else (f"{n:04}",) for n in range(COUNT)]
    goldens = [str(result.golden_id) for result in send_all("cost_center", rows)]
    assert len(set(goldens)) == COUNT
    return {goldens[n]: goldens[up] for n, up in above.items()}


def test_many_are_found_as_few_are(clean_database, parents):
    below = defaultdict(list)
    for child, parent in parents.items():
        below[parent].append(child)

    def walked(node, depth, left):
        if below[node] and left:
            yield depth, node, tuple(sorted(below[node]))
            for child in below[node]:
                yield from walked(child, depth + 1, left - 1)

    (root,) = set(parents.values()) - parents.keys()
    sizes = set()
    for start in (root, *Random(6).sample(sorted(parents.values()), 12)):
        for depth in (None, 1, 3):
            found = clean_database.run(lambda s, a=start, d=depth: subtree(s, CENTER, Reader(SYSTEM_ACTOR, "test"), a, When(DAY), d))
            mine = {(family.depth, family.parent, tuple(family.children)) for family in found.families}
            assert mine == set(walked(start, 1, depth or COUNT))
            sizes.add(sum(len(family.children) for family in found.families))
    assert min(sizes) < 20
    assert max(sizes) == COUNT - 1


def test_a_loop_of_the_past_gives_no_child_twice(clean_database, send_all):
    """For the instant before an edge was marked as closing a loop, history holds it."""
    lower, upper = [r.golden_id for r in send_all("cost_center", [("1", ("rolls_up_to", "2")), ("2",)])]
    closing = (
        "insert into relationship (domain, type, tree, subject_id, target_id, claim_id, recorded_from, recorded_to)"
        " select domain, type, tree, target_id, subject_id, claim_id, recorded_from, clock_timestamp() from relationship"
    )
    clean_database.run(lambda session: execute(session, closing))
    ((then,),) = clean_database.run(lambda session: fetch(session, "select max(recorded_from) from relationship"))
    found = clean_database.run(lambda session: subtree(session, CENTER, Reader(SYSTEM_ACTOR, "test"), upper, When(DAY, then), 9))
    assert [(each.parent, each.children) for each in found.families] == [(str(upper), [str(lower)]), (str(lower), [str(upper)])]
