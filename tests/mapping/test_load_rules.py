"""Rules out of a file: drafts of the good rows, reasons for the others, nothing for what is there already."""

import pytest

from mdm.errors import UnusableInput
from mdm.load_files import open_table
from mdm.load_rules import RuleReader, Written, stated, write_rules
from mdm.load_targets import read_columns
from mdm.mapping import all_rules
from mdm.mapping_sets import Definition, Input, Output


def load(rules, tmp_path, text, columns=""):
    (tmp_path / "rules.csv").write_text(text)
    table = open_table(tmp_path / "rules.csv", name="rules.csv")
    definition = rules.run(lambda session: _definition(session, rules.code))
    reader, written = RuleReader(definition, table.header, read_columns(columns) if columns else ()), Written()
    found = list(reader.rules(table, written))
    known = rules.run(lambda session: stated(session, rules.code))
    written.add(rules.run(lambda session: write_rules(session, rules.by(), rules.code, found, known, reader.columns)))
    return written


def _definition(session, code):
    from mdm.mapping_sets import get_set

    return get_set(session, code).definition


def drafts(rules):
    return rules.run(lambda session: all_rules(session, rules.code, ["draft"]))


TEXT = """department,payer_class,account,share,valid_from,note
ward,,4000,,2026-01-01,first
ward,self,4100,60,,
ward,self,4200,40,,
"""


def test_rows_become_drafts_and_rows_that_ask_for_the_same_are_one_rule(rules, tmp_path):
    assert load(rules, tmp_path, TEXT).drafts == 2
    one, two = drafts(rules)
    assert (one.conditions, one.outputs, str(one.valid_from), one.note) == (
        {"department": "ward"},
        {"account": "4000"},
        "2026-01-01",
        "first",
    )
    assert [(split.share, split.values) for split in two.splits] == [("60", {"account": "4100"}), ("40", {"account": "4200"})]


def test_the_same_file_twice_changes_nothing(rules, tmp_path):
    load(rules, tmp_path, TEXT)
    again = load(rules, tmp_path, TEXT.replace("60", "60.00"))
    assert (again.drafts, again.unchanged, len(drafts(rules))) == (0, 2, 2)
    rules.approve(*drafts(rules))
    assert load(rules, tmp_path, TEXT).unchanged == 2


def test_a_bad_row_is_rejected_with_its_column_and_the_others_are_written(rules, tmp_path):
    written = load(rules, tmp_path, "department,account,share,valid_from\na,1,,\nb,,,\nc,3,50,\nd,4,,someday\ne,5,,\n")
    assert written.drafts == 2
    assert {bad.number: (bad.reject.code, bad.reject.column) for bad in written.rejected} == {
        3: ("required", "account"),
        4: ("not_whole", "splits"),
        5: ("invalid_date", "valid_from"),
    }


def test_columns_are_named_by_the_header_or_by_the_caller(rules, tmp_path):
    assert load(rules, tmp_path, "DEPT,ACCT,X\na,1,z\n", "department=DEPT,account=ACCT").drafts == 1
    for columns in ("department=DEPT", "department=DEPT,account=NONE", "nose=DEPT,account=ACCT", "account=DEPT,account=ACCT"):
        with pytest.raises(UnusableInput):
            load(rules, tmp_path, "DEPT,ACCT,X\na,1,z\n", columns)


def test_keys_of_a_system_are_looked_up(rules, tmp_path):
    rules.define(Definition("Posting", (Input("department", "department"),), (Output("account"),)))
    written = load(rules, tmp_path, "department@erp-north,account\nnobody,1\n")
    assert [(bad.reject.code, bad.reject.column) for bad in written.rejected] == [("unknown_value", "department@erp-north")]
