import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import BytesIO

import openpyxl
import pytest

from mdm.entities import ENTITY_TYPES
from mdm.jsonio import dumps
from mdm.load_columns import suggest
from mdm.load_files import open_table
from mdm.load_report import LoadReport, ReportAct, ReportColumn, ReportFile, ReportSample, ReportStep
from mdm.load_targets import Binding, required, targets
from mdm.load_template import blank_template

PATIENT, ITEM = ENTITY_TYPES["patient"], ENTITY_TYPES["item"]


def found(entity, header, rows=(), former=()):
    return {each.column: each.target for each in suggest(entity, header, rows, former)}


def test_headers_of_hospital_exports_are_understood():
    header = (
        "Pt MRN",
        "LastName",
        "FIRST_NM",
        "DOB",
        "Gender",
        "Addr1",
        "Town",
        "ST",
        "Zip",
        "HomePhone",
        "Cell",
        "SSN",
        "Favourite colour",
    )
    meant = ("key", "family_name", "given_name", "birth_date", "sex", "address_line", "city", "state", "postal_code", "phone", "phone")
    assert found(PATIENT, header) == dict(zip(header, (*meant, "identifier:us-ssn", ""), strict=True))


def test_content_speaks_where_names_do_not():
    rows = [(f"A{number}", f"a{number}@example.org", f"19{number + 40}-03-12") for number in range(20)]
    assert found(PATIENT, ("c1", "c2", "c3"), rows)["c2"] == "email"


def test_content_speaks_against_a_name():
    rows = [(f"{number}", "not a date") for number in range(20)]
    sure, doubtful = suggest(PATIENT, ("MRN", "DOB"), rows, ())
    assert (sure.confidence > 0.9, doubtful.confidence < 0.5) == (True, True)


def test_the_last_file_of_the_same_source_is_believed_first():
    former = [(Binding("given_name", "ODD"),), (Binding("family_name", "ODD"),)]
    first = next(each for each in suggest(PATIENT, ("MRN", "odd"), (), former) if each.column == "odd")
    assert (first.target, first.confidence) == ("given_name", 0.98)
    assert "last load" in first.reason


def test_missing_required_targets_come_first():
    first, second, *_ = suggest(ITEM, ("UOM",), (), ())
    assert [(first.column, first.target), (second.column, second.target)] == [("", "key"), ("", "description")]


def test_a_target_of_one_value_takes_one_column():
    assert list(found(PATIENT, ("DOB", "date of birth")).values()).count("birth_date") == 1


def test_only_sure_pairs_become_a_mapping():
    made = suggest(PATIENT, ("MRN", "DOB", "zzz"), (), ())
    assert [(s.target, s.column) for s in made if s.confidence >= 0.8] == [("key", "MRN"), ("birth_date", "DOB")]


@pytest.mark.parametrize("entity", ENTITY_TYPES.values(), ids=lambda entity: entity.name)
def test_a_filled_in_template_is_recognised_without_doubt(entity, tmp_path):
    book = openpyxl.load_workbook(BytesIO(blank_template(entity)))
    book.worksheets[0].append(["007"] * len(targets(entity)))
    book.save(tmp_path / "t.xlsx")
    table = open_table(tmp_path / "t.xlsx", name="t.xlsx")
    assert table.header == targets(entity)
    assert {(each.column, each.target, each.confidence) for each in suggest(entity, table.header, (), ())} == {
        (t, t, 1.0) for t in targets(entity)
    }


def test_a_template_checks_what_is_typed_into_it():
    sheet = openpyxl.load_workbook(BytesIO(blank_template(ITEM))).worksheets[0]
    checks = {str(check.sqref): check for check in sheet.data_validations.dataValidation}
    assert len(checks) == len(targets(ITEM))
    assert {check.type for check in checks.values()} == {"custom", "list", "textLength"}
    assert [sheet.cell(1, place).font.bold for place in (1, 2, 3)] == [target in required(ITEM) for target in targets(ITEM)[:3]]
    assert sheet.column_dimensions["A"].number_format == "@"


def report():
    at = datetime(2026, 11, 3, 10, tzinfo=UTC)
    return LoadReport(
        load_id="l1",
        plan_id="p1",
        title="Mercy <patients>",
        state="applied",
        made_at=at,
        files=(ReportFile("p.csv", "csv", "patient", "mercy", 1000, 5000, "ab" * 32, "utf-8", "\t", notes=("guessed",)),),
        columns=(ReportColumn("DOB", "birth_date"),),
        steps=(ReportStep("trim DOB", 7, on=True), ReportStep("split P", 0, on=False)),
        planned={"new": 900, "linked": 90, "rejected": 10},
        applied={"new": 899, "linked": 90, "rejected": 10, "review": 1},
        rejects={"missing_key": 10},
        template_version="3",
        model_version="patient-2",
        thresholds={"review": 1.5, "link": 9.0},
        fingerprint="cd" * 32,
        samples=(ReportSample("new", 2, "g1", "<script>alert(1)</script>"),),
        acts=(ReportAct("approved", "ann", at, "checked"),),
        open_reviews=1,
        guards=("more than 1 % rejected",),
    )


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data.strip())


def test_a_report_says_its_figures_in_a_page_that_needs_nothing_else():
    page = Page()
    page.feed(report().as_html())
    assert {"900", "899", "90", "10", "1,000", "Mercy <patients>", "<script>alert(1)</script>", "switched off", "–"} <= set(page.words)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe"}
    assert not [attrs for _, attrs in page.tags if set(attrs) & {"src", "href", "style", "onclick"}]
    assert "@media print" in report().as_html()


def test_a_report_in_json_has_the_same_figures():
    said = json.loads(dumps(report().as_json()))
    assert (said["planned"]["new"], said["applied"]["new"], said["files"][0]["rows"], said["open_reviews"]) == (900, 899, 1000, 1)
