"""Who is who among the rows of a file, from pairs handed in: what a plan must decide as deliveries would."""

from contextlib import nullcontext

import numpy as np
import pytest

from matching.arrays import Weighed
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_golden_id, new_record_id
from mdm.load_match import match
from mdm.load_world import Entries, Others
from mdm.pile import Pile

MODEL = ENTITY_TYPES["patient"].model


class Given:
    """These pairs, and the strongest disagreement for all others."""

    def __init__(self, pairs):
        self._pairs = pairs

    def weigh(self, _model, _floor):
        left, right = (np.array(side, dtype=np.int64) for side in zip(*sorted(self._pairs), strict=True))
        return Weighed(left, right, np.array([self._pairs[pair] for pair in sorted(self._pairs)]), np.zeros(len(left), dtype=np.bool_))

    def score(self, model, left, right):
        weights = [self._pairs.get(pair, -model.clip) for pair in zip(left.tolist(), right.tolist(), strict=True)]
        return Weighed(left, right, np.array(weights), np.zeros(len(left), dtype=np.bool_))


@pytest.mark.parametrize("keys", [("a", "b"), ("b", "a")], ids=["in order", "the other way round"])
def test_of_two_rows_as_near_to_a_record_the_first_by_name_joins_it_wherever_it_stands_in_the_file(keys):
    stock, rows = Pile(()), Pile(())
    stock.add([new_record_id()], [{}], [new_golden_id()], ["ehr-north/1"])
    rows.add([None, None], [{}, {}], [None, None], [f"ehr-mercy/{key}" for key in keys])
    entries = Entries(rows, np.array([1, 2]), np.zeros(2, dtype=np.bool_), {})
    both = Given({(0, 1): 3 * MODEL.clip, (0, 2): 2 * MODEL.clip})
    found = match(MODEL, Others(stock, (), {}), entries, lambda _: nullcontext(both))
    assert {key: found.verdicts[no].outcome for no, key in enumerate(keys, start=1)} == {"a": "linked", "b": "review"}
