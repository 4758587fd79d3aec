"""What a load stores is what deliveries would have left: every table, ids and times aside."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.bulk_store import ROWS_MAX, store
from mdm.copied import copied_texts
from mdm.db import copy, execute, fetch
from mdm.embedded.process import wait_until
from mdm.entities import ENTITY_TYPES
from mdm.guard import record_keys
from mdm.ids import new_record_id
from mdm.ingest import deliver_all
from mdm.invariants import violations
from mdm.models import scorer
from mdm.records import Incoming
from mdm.standardise import Delivery, standardise
from mdm.statements import Assertion
from mdm.systems import registry
from tests.bench.people import delivered, known
from tests.conftest import empty

NAME = "(select r.system || '/' || r.key from source_record r where r.id = {})"
GOLDEN = (
    "(select string_agg(r.system || '/' || r.key, ', ' order by r.system, r.key) from link m join source_record r on r.id = m.record_id"
    " where m.golden_id = {} and m.recorded_to is null)"
)
RECORD = "-> 'records' ->>"
TABLES = {
    "source_record": "select domain, system, key, status, version, hash, clean, columns,"
    " (select array_agg(k order by k) from unnest(keys) k), pins, valid_from, valid_to from source_record",
    "source_record_version": f"select {NAME.format('record_id')}, version, state, raw, clean, notes, hash, status, valid_from, valid_to"
    " from source_record_version",
    "match_key": f"select {NAME.format('record_id')}, key from match_key",
    "edge": f"select least({NAME.format('low')}, {NAME.format('high')}), greatest({NAME.format('low')}, {NAME.format('high')}), weight,"
    " vetoes, model_version, verdict, met from edge",
    "link": f"select {NAME.format('record_id')}, {GOLDEN.format('golden_id')}, cause, decision_id, recorded_to from link",
    "golden_record": f"select {GOLDEN.format('golden_record.id')}, domain, status, merged_into, version from golden_record",
    "golden_version": f"select {GOLDEN.format('golden_id')}, version, values,"
    f" (select jsonb_object_agg(p.key, jsonb_build_array(p.value -> 0, {NAME.format(f'(provenance {RECORD} (p.value ->> 1)::int)::uuid')},"
    " (select jsonb_agg(jsonb_build_array("
    f"{NAME.format(f'(provenance {RECORD} (l ->> 0)::int)::uuid')}, l -> 1)) from jsonb_array_elements(p.value -> 2) l)))"
    " from jsonb_each(provenance -> 'values') p), status, recorded_to from golden_version",
    "xref": f"select domain, s.code, value, {GOLDEN.format('golden_id')}, x.status, own, exclusive, pending, valid_from, valid_to,"
    " recorded_to from xref x join identifier_system s on s.id = x.system_id",
    "event": f"select domain, {GOLDEN.format('golden_id')}, type, data, release_at, withdrawn_at from event",
    "audit": "select principal, domain, (select count(distinct s) from unnest(subjects) s), fields, request_id, outcome, detail from audit",
    "relationship_claim": f"select domain, type, tree, {NAME.format('record_id')}, target_domain, target_system, target_key, target_id,"
    " valid_from, valid_to, actor, reason, recorded_to from relationship_claim",
    "relationship": f"select domain, type, tree, {GOLDEN.format('subject_id')}, {GOLDEN.format('target_id')}, valid_from, valid_to, looped,"
    " recorded_to from relationship",
    "task": "select kind, dedupe_key from task",
    "miss": "select domain, system, value, kind, status from miss",
}


def contents(database):
    with database.unit_of_work() as session:
        assert violations(session, deep=True) == []
        return {table: sorted(map(repr, fetch(session, query))) for table, query in TABLES.items()}


def incoming(session, entity, row):
    standard = standardise(entity, row, registry(session))
    return Incoming(new_record_id(), standard, None, standard.columns, record_keys(entity, scorer(session, entity).model, standard.columns))


def load(database, entity, groups):
    def work(session):
        return store(session, entity, SYSTEM_ACTOR, [[incoming(session, entity, row) for row in group] for group in groups], "test")

    return database.run(work)


def groups_of(results, rows):
    found = {}
    for result, row in zip(results, rows, strict=True):
        found.setdefault(result.golden_id, []).append(row)
    return list(found.values())


def patients():
    rows = [*(delivered(n) for n in range(14)), *(known(n, t) for t in (0, 1) for n in range(5))]  # one chunk of deliveries
    odd = {"given_name": "Ana", "family_name": "Ó Briain", "city": 'a "b"\n'}
    return [*rows, Delivery("ehr-north", "left\there \\ there", odd, status="inactive")]


def providers():
    shared = ("us-npi", "1234567893")
    return [
        Delivery("ehr-north", "1", {"given_name": "Ann", "family_name": "Lee"}, [shared]),
        Delivery("ehr-mercy", "1", {"given_name": "Ann", "family_name": "Lee"}, [shared]),
        Delivery("workforce-north", "9", {"given_name": "Bo", "family_name": "Chan"}, [("us-npi", "1245319599"), ("ehr-north", "77")]),
    ]


def departments():
    up = (Assertion("part_of", "erp-north", "100"),)
    return [
        Delivery("erp-north", "100", {"name": "Surgery", "code": "100"}),
        Delivery("erp-north", "110", {"name": "Cardiac Surgery", "code": "110"}, relationships=up),
        Delivery("erp-north", "200", {"name": "Radiology", "code": "200"}, relationships=()),
    ]


@pytest.mark.parametrize(("domain", "rows"), [("patient", patients()), ("provider", providers()), ("department", departments())])
def test_a_load_stores_what_deliveries_would_have(clean_database, domain, rows):
    entity = ENTITY_TYPES[domain]
    results = deliver_all(clean_database, entity, SYSTEM_ACTOR, rows, "test")
    assert all(result.record_id for result in results), results
    groups, one_by_one = groups_of(results, rows), contents(clean_database)
    empty(clean_database)
    kept = load(clean_database, entity, groups)
    assert len(kept.golden_of) == len(rows)
    assert kept.known == []
    for table, stored in contents(clean_database).items():
        assert stored == one_by_one[table], table


def test_a_row_that_was_delivered_meanwhile_is_not_new(clean_database):
    entity = ENTITY_TYPES["patient"]
    deliver_all(clean_database, entity, SYSTEM_ACTOR, [delivered(1)], "test")
    kept = load(clean_database, entity, [[delivered(0), known(0)], [delivered(1), known(1)]])
    assert [row.standard.delivery.key for row in kept.known] == [delivered(1).key]
    assert len(kept.golden_of) == 3
    contents(clean_database)


def test_an_identifier_that_others_claim_is_exclusive_to_nobody(clean_database):
    entity = ENTITY_TYPES["provider"]
    first, second, _ = providers()
    deliver_all(clean_database, entity, SYSTEM_ACTOR, [first], "test")
    load(clean_database, entity, [[second]])
    held = "select exclusive from xref x join identifier_system s on s.id = x.system_id where s.code = 'us-npi' and recorded_to is null"
    assert clean_database.run(lambda s: fetch(s, held)) == [(False,), (False,)]


def test_an_identifier_that_two_claim_at_the_same_moment_is_exclusive_to_nobody(clean_database):
    entity = ENTITY_TYPES["provider"]
    first, second, _ = providers()
    stored, others_wait = threading.Event(), threading.Event()

    def slowly(session):
        store(session, entity, SYSTEM_ACTOR, [[incoming(session, entity, first)]], "test")
        stored.set()
        others_wait.wait(10)

    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(clean_database.run, slowly)
        assert stored.wait(10)
        other = pool.submit(load, clean_database, entity, [[second]])
        assert wait_until(lambda: clean_database.run(lambda s: fetch(s, waiting)) == [(1,)], 10)
        others_wait.set()
        one.result()
        other.result()
    held = "select exclusive from xref x join identifier_system s on s.id = x.system_id where s.code = 'us-npi' and recorded_to is null"
    assert clean_database.run(lambda s: fetch(s, held)) == [(False,), (False,)]
    contents(clean_database)


def test_a_load_ends_the_misses_that_it_answers(clean_database):
    entity = ENTITY_TYPES["patient"]
    wanted = "insert into miss (domain, system, value, count) values ('patient', %s, %s, 1) returning id"
    row = delivered(0)
    clean_database.run(lambda s: fetch(s, wanted, (row.system, row.key)))
    load(clean_database, entity, [[row]])
    assert clean_database.run(lambda s: fetch(s, "select status from miss")) == [("resolved",)]


def test_more_rows_than_locks_are_refused(session):
    rows = [[incoming(session, ENTITY_TYPES["patient"], delivered(0))] for _ in range(ROWS_MAX + 1)]
    with pytest.raises(ValueError, match="rows in one transaction"):
        store(session, ENTITY_TYPES["patient"], SYSTEM_ACTOR, rows, "test")


def test_arrays_of_texts_are_copied_as_they_are(clean_database):
    said = [[], ["birth date"], ['a "quoted" one', "back\\slash", "tab\there", "a, comma {and} brace", "null", ""]]
    with clean_database.unit_of_work() as session:
        execute(session, "create temp table said (texts text[]) on commit drop", ())
        copy(session, "said", "texts", [copied_texts(texts) for texts in said])
        assert [row[0] for row in fetch(session, "select texts from said")] == said
