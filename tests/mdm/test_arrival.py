"""The same persons delivered one after the other and matched in bulk: the same links, up to pairs that the order of arrival decides.

The machine never parts what it has published: who was linked before a rival came stays so until a person accepts the proposed cut. Such
pairs are counted, and nothing else differs: once the proposals are accepted, fewer than one pair of a thousand does.
"""

import os
from random import Random

from matching.bulk import Room, bulk
from matching.cluster import limits_of
from matching.components import cluster_all
from matching.evaluate import are_true, count_pairs, pairs_of
from matching.table import lay_out
from mdm import models
from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.stock import read_stock
from tests.bench.people import delivered, known
from tests.mdm.test_laws import accept_proposals

PATIENT = ENTITY_TYPES["patient"]
PERSONS = int(os.environ.get("CONCORD_ARRIVAL_PERSONS", "60"))  # 10000 is the whole measurement
DIFFERENT_MAX = 0.001


def deliver_one_by_one(database):
    rows = [
        *(delivered(n) for n in range(PERSONS)),
        *(known(n, 1) for n in range(0, PERSONS, 2)),
        *(known(n, 3) for n in range(0, PERSONS, 5)),
    ]
    Random(2).shuffle(rows)
    for row in rows:
        assert not deliver_all(database, PATIENT, SYSTEM_ACTOR, [row], "test")[0].problems


def linked_online(database, ids):
    found = database.run(lambda s: fetch(s, "select record_id, golden_id from link where recorded_to is null"))
    rows = {record: row for row, record in enumerate(ids)}
    members = {}
    for record, golden in found:
        members.setdefault(golden, []).append(rows[record])
    pairs = [(a, b) for group in members.values() for a in group for b in group if a < b]
    return pairs_of([a for a, _ in pairs], [b for _, b in pairs])


def linked_in_bulk(model, columns):
    with bulk(model, lay_out(model, columns), room=Room("1GB", 1)) as executor:
        executor.block()
        weighed = executor.weigh(model, model.thresholds.review)
        return cluster_all(executor.size, weighed, limits_of(model), lambda left, right: executor.score(model, left, right)).groups


def linked_one_way_only(online, groups):
    """Pairs that only deliveries linked, pairs that only bulk linked, and all."""
    common = int(are_true(online, groups).sum())
    return count_pairs(online) - common, count_pairs(groups) - common, common


def test_one_after_the_other_and_in_bulk_the_same_records_are_linked(clean_database, record_testsuite_property):
    model = clean_database.run(lambda s: models.current_scorer(s, PATIENT)).model
    deliver_one_by_one(clean_database)
    stock = read_stock(clean_database, PATIENT)
    groups = linked_in_bulk(model, stock.columns)
    by_order, missing, common = linked_one_way_only(linked_online(clean_database, stock.ids), groups)
    proposed = clean_database.run(lambda s: fetch(s, "select count(*) from task where kind = 'cut' and status = 'open'"))[0][0]
    record_testsuite_property("arrival", f"{common} pairs linked both ways, {by_order} by the order of arrival, {proposed} cuts proposed")
    assert common > PERSONS // 2
    assert missing <= DIFFERENT_MAX * common
    assert (by_order > 0) <= (proposed > 0)
    accept_proposals(clean_database)
    assert sum(linked_one_way_only(linked_online(clean_database, stock.ids), groups)[:2]) <= DIFFERENT_MAX * common
