"""What systems deliver about relationships: kept, dated, resolved, replaced; as of a day and as known at a moment."""

from datetime import date

import pytest

from mdm.db import fetch
from mdm.invariants import violations
from tests.relationships.conftest import edges

JULY, JUNE_30 = date(2026, 7, 1), date(2026, 6, 30)


def test_an_edge_leads_to_the_golden_record_of_the_key(clean_database, center, department):
    one = center("CC-1")
    subject = department("D1", ("charges_to", "CC-1"))
    assert edges(clean_database) == {(subject, "charges_to", "", one, None, None)}


def test_an_end_that_nobody_knows_waits_for_its_key(clean_database, center, department):
    subject = department("D1", ("charges_to", "CC-1"))
    assert edges(clean_database) == set()
    one = center("CC-1")
    assert edges(clean_database) == {(subject, "charges_to", "", one, None, None)}


def test_a_later_list_takes_the_place_of_the_former(clean_database, center, department):
    center("CC-1")
    two = center("CC-2")
    department("D1", ("charges_to", "CC-1"))
    subject = department("D1", ("charges_to", "CC-2"))
    assert edges(clean_database) == {(subject, "charges_to", "", two, None, None)}


def test_a_list_that_begins_later_leaves_what_was_before(clean_database, center, department):
    one, two = center("CC-1"), center("CC-2")
    department("D1", ("charges_to", "CC-1", date(2020, 1, 1)))
    subject = department("D1", ("charges_to", "CC-2", JULY))
    assert edges(clean_database) == {
        (subject, "charges_to", "", one, date(2020, 1, 1), JUNE_30),
        (subject, "charges_to", "", two, JULY, None),
    }


def test_the_date_of_the_record_stands_for_a_missing_one(clean_database, center, department):
    one, two = center("CC-1"), center("CC-2")
    department("D1", ("charges_to", "CC-1"), valid_from=date(2020, 1, 1))
    subject = department("D1", ("charges_to", "CC-2"), valid_from=JULY)
    assert edges(clean_database) == {
        (subject, "charges_to", "", one, date(2020, 1, 1), JUNE_30),
        (subject, "charges_to", "", two, JULY, None),
    }


def test_no_list_leaves_alone_and_an_empty_one_withdraws(clean_database, center, department):
    center("CC-1")
    department("D1", ("charges_to", "CC-1"))
    before = edges(clean_database)
    department("D1", relationships=None, name="Cardiology West")
    assert edges(clean_database) == before
    department("D1", relationships=())
    assert edges(clean_database) == set()


def test_a_list_is_part_of_what_was_delivered(center, send):
    center("CC-1")
    assert send("department", "D1", ("charges_to", "CC-1")).outcome == "new"
    assert send("department", "D1", ("charges_to", "CC-1")).outcome == "unchanged"
    assert send("department", "D1", relationships=None).outcome == "unchanged"
    assert send("department", "D1", relationships=()).outcome == "updated"


def test_the_more_trusted_system_wins_and_the_other_holds_the_rest(clean_database, center, department):
    one, two = center("CC-1"), center("CC-2")
    department("D1", ("charges_to", "CC-1"), system="ehr-north")
    subject = department("F1", ("charges_to", "CC-2", JULY), system="erp-north", identifiers=(("ehr-north", "D1"),))
    assert edges(clean_database) == {
        (subject, "charges_to", "", one, None, JUNE_30),
        (subject, "charges_to", "", two, JULY, None),
    }


def test_a_loop_is_refused_and_nothing_changes(clean_database, send):
    send("cost_center", "A", ("rolls_up_to", "B"))
    send("cost_center", "B", ("rolls_up_to", "C"))
    before = edges(clean_database)
    refused = send("cost_center", "C", ("rolls_up_to", "A"))
    assert refused.outcome == "rejected"
    assert refused.problems[0].code == "hierarchy_loop"
    assert refused.problems[0].message.count("->") == 3
    assert edges(clean_database) == before
    with clean_database.unit_of_work() as session:
        assert fetch(session, "select 1 from source_record where key = 'C'") == []
        assert violations(session, deep=True) == []


def test_a_loop_on_no_common_day_is_none(clean_database, send):
    send("cost_center", "A", ("rolls_up_to", "B", None, JUNE_30))
    assert send("cost_center", "B", ("rolls_up_to", "A", JULY)).outcome == "new"
    assert len(edges(clean_database)) == 2


def test_a_loop_in_a_batch_refuses_its_row_alone(clean_database, send_all):
    results = send_all(
        "cost_center", [("A", ("rolls_up_to", "B")), ("B", ("rolls_up_to", "A")), ("C", ("rolls_up_to", "A")), ("D", ("rolls_up_to", "D"))]
    )
    assert [r.outcome for r in results] == ["new", "rejected", "new", "rejected"]
    assert len(edges(clean_database)) == 1


def test_trees_are_independent(clean_database, send):
    send("cost_center", "A", ("rolls_up_to", "B"))
    assert send("cost_center", "B", ("rolls_up_to", "A", None, None, "budget")).outcome == "new"
    send("cost_center", "A", ("rolls_up_to", "B"), ("rolls_up_to", "C", None, None, "budget"))
    assert {edge[2] for edge in edges(clean_database)} == {"main", "budget"}


@pytest.mark.parametrize(
    ("said", "code", "pointer"),
    [
        (("flies_to", "CC-1"), "unknown_relationship", "/relationships/0/type"),
        (("charges_to", "CC-1", JULY, JUNE_30), "invalid_period", "/relationships/0/valid_to"),
        (("charges_to", "CC-1", None, None, "main"), "no_hierarchy", "/relationships/0/tree"),
        (("part_of", "D2", None, None, "Big Tree"), "invalid_tree", "/relationships/0/tree"),
        (("charges_to", " "), "invalid_key", "/relationships/0/value"),
    ],
)
def test_a_bad_statement_is_refused_by_field(clean_database, send, said, code, pointer):
    refused = send("department", "D1", said)
    assert [(p.code, p.pointer) for p in refused.problems] == [(code, pointer)]


def test_two_targets_from_one_day_are_refused(clean_database, send):
    refused = send("department", "D1", ("charges_to", "CC-1"), ("charges_to", "CC-2"))
    assert [(p.code, p.pointer) for p in refused.problems] == [("two_targets", "/relationships/1")]


def test_what_was_known_before_the_change_is_kept(clean_database, center, department):
    one = center("CC-1")
    department("D1", ("charges_to", "CC-1", date(2020, 1, 1)))
    with clean_database.unit_of_work() as session:
        then = fetch(session, "select clock_timestamp()")[0][0]
    center("CC-2")
    subject = department("D1", ("charges_to", "CC-2", JULY))
    assert edges(clean_database, known_at=then) == {(subject, "charges_to", "", one, date(2020, 1, 1), None)}
