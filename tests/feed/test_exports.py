"""Extracts equal what is stored, a delta brings an old copy up to date, and nobody gets what they may not see."""

import csv
from io import BytesIO, StringIO

import pyarrow.parquet as pq
import pytest

from mdm.access import PHI, SYSTEM_ACTOR, Actor, Role
from mdm.changes import new_epoch
from mdm.couriers import prepare
from mdm.entities import ENTITY_TYPES
from mdm.errors import Forbidden, Gone, Invalid
from mdm.export_files import write
from mdm.exports import CROSSWALK, crosswalk, golden
from mdm.identity import Act, merge
from mdm.ids import new_id
from mdm.load_formulas import restore
from mdm.reading import Reader
from mdm.undo import undo

PAYER, PATIENT = ENTITY_TYPES["payer"], ENTITY_TYPES["patient"]
EVERYONE = Reader(SYSTEM_ACTOR, "r1")


@pytest.fixture
def export(clean_database):
    """export(crosswalk, entity, ..., form="csv") -> the extract and its rows as dicts, read back from a file."""

    def one(make, entity, *asked, reader=EVERYONE, since=None, form="csv"):
        file = BytesIO()

        def work(session):
            file.truncate(0)
            made = make(session, entity, reader, *asked, since)
            write(made, form, file)
            return made

        made = clean_database.run(work)
        file.seek(0)
        if form == "parquet":
            return made, pq.read_table(file).to_pylist()
        return made, list(csv.DictReader(StringIO(file.getvalue().decode(), newline="")))

    return one


def reader(**scope):
    grants = frozenset(scope.pop("grants", ()))
    return Reader(Actor(new_id(), "somebody", Role.ADMIN, grants=grants, **{n: frozenset(v) for n, v in scope.items()}), "r2")


def held(rows):
    return {(row["system"], row["value"], row["golden_id"]) for row in rows if row["change"] == "held"}


def of_tables(rows, domain="payer"):
    found = rows(
        "select s.code, x.value, x.golden_id::text from xref x join identifier_system s on s.id = x.system_id"
        " where x.domain = %s and x.recorded_to is null",
        domain,
    )
    return {tuple(row) for row in found}


def test_the_whole_crosswalk_equals_the_tables(deliver, export, rows):
    deliver("erp-north", "0012", name="Blue Shield of Oregon", identifiers=(("us-ein", "52-1384756"),))
    deliver("billing-north", "=cmd|' /C calc'!A0", name="Acme Mutual")
    made, found = export(crosswalk, PAYER, ())
    assert {(row["system"], restore(row["value"]), row["golden_id"]) for row in found} == of_tables(rows)
    assert (made.rows, [column.name for column in CROSSWALK]) == (len(found), list(found[0]))
    assert not any(row["value"].startswith("=") for row in found)


def test_systems_are_chosen_by_code_or_alias(deliver, export):
    deliver("erp-north", "1", name="Blue Shield", identifiers=(("us-ein", "52-1384756"),))
    deliver("billing-north", "2", name="Acme Mutual")
    assert {row["system"] for row in export(crosswalk, PAYER, ["erp-north"])[1]} == {"erp-north"}
    assert {row["system"] for row in export(crosswalk, PAYER, ["erp-north", "us-ein"])[1]} == {"erp-north", "us-ein"}
    with pytest.raises(Invalid):
        export(crosswalk, PAYER, ["none"])


def test_the_same_rows_have_the_same_version_in_every_format(deliver, export):
    deliver("erp-north", "1", name="Blue Shield", dba_name=["Blue", "=Shield"])
    for make, asked in ((crosswalk, ((),)), (golden, ())):
        first, rows = export(make, PAYER, *asked)
        second, same = export(make, PAYER, *asked, form="parquet")
        assert (first.version, first.rows, len(same)) == (second.version, second.rows, len(rows))
    deliver("erp-north", "1", name="Blue Shield of Idaho")
    assert export(golden, PAYER)[0].version != first.version


def test_golden_records_stand_with_their_values_and_merged_ones_with_their_survivor(deliver, export, rows):
    deliver("erp-north", "1", name="Blue Shield of Oregon", dba_name=["Blue", "Shield"], phone=["617-555-0142"])
    deliver("erp-north", "2", name="Acme Mutual")
    one, other = (row[0] for row in rows("select id from golden_record order by id"))
    rows("update golden_record set status = 'merged', merged_into = %s where id = %s", one, other)
    _, found = export(golden, PAYER, form="parquet")
    assert [(row["golden_id"], row["status"], row["merged_into"]) for row in found] == [
        (str(one), "active", None),
        (str(other), "merged", str(one)),
    ]
    assert {name.lower() for name in found[0]["dba_name"]} == {"blue", "shield"}
    assert found[1]["name"] is None
    assert export(golden, PAYER)[1][0]["dba_name"].startswith('["')


def test_a_delta_brings_a_copy_up_to_date(deliver, export, rows, clean_database):
    deliver("erp-north", "1", name="Blue Shield of Oregon", identifiers=(("us-ein", "52-1384756"),))
    deliver("erp-north", "2", name="Acme Mutual")
    prepare(clean_database, None)
    whole, before = export(crosswalk, PAYER, ())
    copy = held(before)
    deliver("erp-north", "1", name="Blue Shield of Oregon", identifiers=(("us-ein", "36-2739571"),))
    deliver("erp-north", "3", name="Northern Life")
    prepare(clean_database, None)
    delta, changed = export(crosswalk, PAYER, (), since=str(whole.position))
    assert ("us-ein", "521384756", "gone") in {(row["system"], row["value"], row["change"]) for row in changed}
    gone = {(row["system"], row["value"], row["golden_id"]) for row in changed if row["change"] == "gone"}
    assert (copy - gone) | held(changed) == of_tables(rows)
    assert {row["value"] for row in changed if row["system"] == "erp-north"} == {"1", "3"}
    assert export(crosswalk, PAYER, (), since=str(delta.position))[1] == []
    assert {row["name"] for row in export(golden, PAYER, since=str(whole.position))[1]} == {"Blue Shield of Oregon", "Northern Life"}


def test_merging_and_taking_it_back_reach_a_copy_by_deltas(deliver, export, rows, clean_database):
    deliver("erp-north", "1", name="Blue Shield of Oregon", identifiers=(("us-ein", "52-1384756"),))
    deliver("billing-north", "2", name="Acme Mutual", identifiers=(("us-ein", "36-2739571"),))
    prepare(clean_database, None)
    last, found = export(crosswalk, PAYER, ())
    copy = held(found)
    kept, gone = (row[0] for row in rows("select id from golden_record order by id"))
    act = Act(actor=SYSTEM_ACTOR, reason="the same", request_id="r1")
    done = clean_database.run(lambda session: merge(session, PAYER, kept, [gone], act))
    for take_back in (False, True):
        if take_back:
            clean_database.run(lambda session: undo(session, PAYER, done.decision_id, act))
        prepare(clean_database, None)
        last, changed = export(crosswalk, PAYER, (), since=str(last.position))
        ended = {(row["system"], row["value"], row["golden_id"]) for row in changed if row["change"] == "gone"}
        copy = (copy - ended) | held(changed)
        assert copy == of_tables(rows)
    assert {row[2] for row in copy} == {str(kept), str(gone)}


def test_a_position_of_a_former_epoch_is_refused(deliver, export, clean_database):
    deliver("erp-north", "1", name="Blue Shield")
    made, _ = export(crosswalk, PAYER, ())
    clean_database.run(lambda session: new_epoch(session, SYSTEM_ACTOR))
    with pytest.raises(Gone):
        export(crosswalk, PAYER, (), since=str(made.position))
    with pytest.raises(Invalid):
        export(golden, PAYER, since="yesterday")


def test_only_what_systems_in_scope_say_goes_out(deliver, export):
    deliver("erp-north", "1", name="Blue Shield of Oregon", identifiers=(("us-ein", "52-1384756"),))
    deliver("billing-north", "7", name="Blue Shield of Oregon", identifiers=(("us-ein", "52-1384756"),), website="example.org")
    deliver("billing-north", "8", name="Acme Mutual")
    narrow = reader(systems=["erp-north"])
    assert {row["system"] for row in export(crosswalk, PAYER, (), reader=narrow)[1]} == {"erp-north", "us-ein"}
    [only] = export(golden, PAYER, reader=narrow)[1]
    assert (only["name"] != "", only["website"]) == (True, "")
    assert export(golden, PAYER, reader=reader(systems=["ehr-mercy"]))[1] == []


def test_patients_need_the_grant_and_secrets_stay(deliver, export):
    deliver("ehr-north", "1", domain="patient", given_name="Maria", family_name="Rivera", identifiers=(("us-ssn", "512-34-7781"),))
    for make, asked in ((crosswalk, ((),)), (golden, ())):
        with pytest.raises(Forbidden):
            export(make, PATIENT, *asked, reader=reader())
        with pytest.raises(Forbidden):
            export(make, PAYER, *asked, reader=Reader(Actor(new_id(), "s", Role.STEWARD), ""))
    assert {row["system"] for row in export(crosswalk, PATIENT, (), reader=reader(grants=[PHI]))[1]} == {"ehr-north"}
    assert {row["system"] for row in export(crosswalk, PATIENT, ())[1]} == {"ehr-north", "us-ssn"}


def test_every_extract_is_audited_with_what_went_out_and_no_value(deliver, export, rows):
    deliver("erp-north", "1", name="Blue Shield")
    made, _ = export(crosswalk, PAYER, ["erp-north"])
    [(principal, domain, request_id, detail)] = rows(
        "select principal, domain, request_id, detail from audit where action = 'export:crosswalk'"
    )
    assert (principal, domain, request_id) == ("system", "payer", "r1")
    assert detail == {"rows": 1, "version": made.version, "systems": ["erp-north"], "since": ""}


def test_an_empty_extract_has_its_columns(export, clean_database):
    for form in ("csv", "parquet"):
        made, found = export(golden, PAYER, form=form)
        assert (found, made.rows, len(made.version)) == ([], 0, 64)
