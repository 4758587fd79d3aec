"""The file of a system comes again: what the last load had just so is known by its print, everything else is looked at as ever."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm import load_plan, loads
from mdm.db import execute
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_golden_id
from mdm.load_former import Prints
from mdm.load_source import Source
from mdm.load_steps import Step
from mdm.load_table import Options
from mdm.load_targets import read_columns
from mdm.load_values import Converter
from tests.bench.people import delivered
from tests.loads.conftest import as_csv, deliver, mercy, rows


@pytest.fixture
def converted(monkeypatch):
    """How many rows were converted."""
    made, convert = [], Converter.deliver_sound
    monkeypatch.setattr(Converter, "deliver_sound", lambda converter, row: made.append(row) or convert(converter, row))
    return made


@pytest.fixture(autouse=True)
def several_pieces(monkeypatch):
    monkeypatch.setattr("mdm.load_stage.PIECE_ROWS", 20)
    monkeypatch.setattr("mdm.load_former._PIECES", 2)


def changed(delivery, **values):
    return replace(delivery, attributes={**delivery.attributes, **values})


def counted(view):
    return {name: count for name, count in view.counts.items() if count}


def test_only_changed_rows_are_converted_in_whatever_order_they_come(people, loader, converted):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    del converted[:]
    again = [changed(deliveries[0], phone="617-555-0199"), *reversed(deliveries[2:])]
    view = loader.plan(as_csv(again))
    assert counted(view) == {"updated": 1, "unchanged": 98, "absent": 1}
    assert len(converted) == 1
    assert loader.apply(view).applied["unchanged"] == 98
    assert rows(people, "select count(*) from load_row where print is null") == [(0,)]
    assert rows(people, "select sum(cardinality(prints)) from load_same where 0 <> all (prints)") == [(98,)]


def test_what_a_load_left_alone_is_known_in_the_third_file_too(people, loader, converted):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    loader.load(as_csv([changed(deliveries[0], phone="617-555-0199"), *deliveries[1:]]))
    del converted[:]
    view = loader.plan(as_csv([changed(deliveries[0], phone="617-555-0199"), changed(deliveries[1], city="Salem"), *deliveries[2:]]))
    assert counted(view) == {"updated": 1, "unchanged": 99}
    assert len(converted) == 1


def test_what_its_system_said_since_is_said_again_by_the_file(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    deliver(people, [changed(replace(deliveries[0], system="ehr-mercy"), phone="617-555-0142")])
    view = loader.plan(as_csv(deliveries[:-1]))
    assert counted(view) == {"updated": 1, "unchanged": 98, "absent": 1}


def test_another_row_with_the_key_is_refused_beside_one_that_is_known(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    view = loader.plan(as_csv([*deliveries, changed(deliveries[0], city="Salem")]))
    assert counted(view) == {"rejected": 1, "unchanged": 100}
    first = loader.plan(as_csv([changed(deliveries[0], city="Salem"), *deliveries]))
    assert counted(first) == {"rejected": 1, "updated": 1, "unchanged": 99}


def test_read_in_another_way_the_same_cells_are_other_rows(people, loader, converted):
    content = as_csv(mercy())
    loader.load(content)
    del converted[:]
    view = loader.plan(content, steps=[Step("trim", "city").as_json()])
    assert counted(view) == {"unchanged": 100}
    assert len(converted) == 100


def test_rows_of_a_load_that_was_undone_are_not_known(people, loader, converted):
    deliveries = mercy()
    loader.undo(loader.load(as_csv(deliveries)))
    del converted[:]
    view = loader.plan(as_csv(list(reversed(deliveries))))
    assert view.counts["unchanged"] == 0
    assert len(converted) == 100


def prints_of(columns, header, table):
    source = Source(ENTITY_TYPES["payer"], "mercy", None, "f.csv", Options(), read_columns(columns), ())
    return Prints(source, header).of([*zip(*table, strict=True)]).tolist()


_CELL = st.one_of(
    st.none(), st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=3), st.sampled_from(",-")
)


@settings(max_examples=300)
@given(st.lists(st.tuples(_CELL, _CELL, _CELL), min_size=2, max_size=8, unique=True))
def test_rows_of_other_cells_have_other_prints(table):
    found = prints_of("key=K,name=N,city=C", ["K", "N", "C"], table)
    assert len({*found}) == len(table)
    assert found == [prints_of("key=K,name=N,city=C", ["K", "N", "C"], [row])[0] for row in table]


def test_only_cells_that_become_something_make_the_print():
    one, two = (prints_of("key=K,name=N", header, [row]) for header, row in ((["K", "N"], ("1", "x")), (["N", "A", "K"], ("x", "7", "1"))))
    assert one == two != prints_of("key=N,name=K", ["K", "N"], [("1", "x")])
    assert prints_of("key=K,name=N", ["K", "N"], []) == []


def test_half_a_character_has_no_print():
    assert prints_of("key=K,name=N", ["K", "N"], [("1", "\ud800"), ("1", "x")]) == [0, *prints_of("key=K,name=N", ["K", "N"], [("1", "x")])]


def test_rows_that_say_nothing_new_belong_where_their_records_do_by_now(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    moved = rows(people, "select id from source_record where system = 'ehr-mercy' and key = %s", (deliveries[0].key,))[0][0]
    new = new_golden_id()
    people.run(lambda s: execute(s, "insert into golden_record (id, domain, status) values (%s, 'patient', 'active')", (new,)))
    people.run(lambda s: execute(s, "update link set golden_id = %s where record_id = %s and recorded_to is null", (new, moved)))
    view = loader.plan(as_csv([deliveries[0], *reversed(deliveries[1:])]))
    told = {each["key"]: each["golden_id"] for each in view.plan["report"]["samples"]["unchanged"]}
    assert told[deliveries[0].key] == str(new)


def test_a_golden_record_that_the_plan_would_not_change_may_change(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    view = loader.plan(as_csv([changed(deliveries[0], phone="617-555-0199"), *deliveries[1:]]))
    deliver(
        people, [changed(delivered(number), phone="617-555-0111") for number in range(40)]
    )  # as the north knows people of unchanged rows
    assert people.run(lambda s: loads.stale_because(s, view)) == []
    deliver(people, [changed(replace(deliveries[1], system="ehr-mercy"), phone="617-555-0142")])
    assert [problem.code for problem in people.run(lambda s: loads.stale_because(s, view))] == ["records_changed"]


def test_rows_that_an_earlier_release_staged_as_saying_nothing_new_stay(people, loader, monkeypatch):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    compare = load_plan.match_staged

    def begun_by_it(run, source, plan_id, memory_gb):
        run.effect(lambda s: [execute(s, statement) for statement in AS_IT_WROTE])
        return compare(run, source, plan_id, memory_gb)

    monkeypatch.setattr("mdm.load_plan.match_staged", begun_by_it)
    view = loader.plan(as_csv([changed(deliveries[0], phone="617-555-0199"), *deliveries[1:]]))
    assert counted(view) == {"updated": 1, "unchanged": 99}
    assert loader.apply(view).applied["unchanged"] == 99


_BESIDE_OTHERS = (
    "insert into load_row (plan_id, no, key, planned, record_id, before, print) select s.plan_id, u.no, u.key, 'unchanged', u.record_id,"
    " u.version, u.print from load_same s cross join lateral unnest(s.numbers, s.keys, s.records, s.versions, s.prints)"
    " u(no, key, record_id, version, print)"
)
AS_IT_WROTE = (_BESIDE_OTHERS, "delete from load_same")
