"""What is below a golden record, however many that is."""

from collections import defaultdict
from datetime import date
from random import Random

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.reading import Reader
from mdm.trees import When, subtree

CENTER, DAY = ENTITY_TYPES["cost_center"], date(2026, 7, 1)
COUNT = 260  # more than are asked for by name


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
