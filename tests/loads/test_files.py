import csv
import gzip
from datetime import date, datetime
from decimal import Decimal
from io import BytesIO, StringIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from mdm.errors import UnusableFile
from mdm.load_csv import cut
from mdm.load_files import open_table
from mdm.load_formulas import neutralise, restore
from mdm.load_manifest import read_manifest
from mdm.load_rejects import write_rejects
from mdm.load_table import REJECT_COLUMNS, BadRow, Options, rejected
from tests.loads.broken import archive

_CELL = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
_ROWS = st.lists(st.tuples(_CELL, _CELL, _CELL).filter(any), min_size=1, max_size=8)
_HEADER = ("id", "name", "note")


def read(path, data, name="upload.csv", rows=3, **chosen):
    path.write_bytes(data)
    table = open_table(path, name=name, options=Options(**chosen))
    return (
        table,
        [row for batch in table.batches(rows) for row in batch.rows],
        [bad for batch in table.batches(rows) for bad in batch.rejected],
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found_and_said(encoding, delimiter, tmp_path):
    lines = [("id", "name", "city"), ("1", "Jürgen", "Köln, Rhein"), ("2", "Zoë", "Málaga")]
    text = StringIO()
    csv.writer(text, delimiter=delimiter).writerows(lines)
    table, rows, bad = read(tmp_path / "f", text.getvalue().encode(encoding))
    assert (table.encoding, table.delimiter, table.header, rows, bad) == (encoding, delimiter, lines[0], lines[1:], [])


def test_rows_are_numbered_as_a_spreadsheet_numbers_them(tmp_path):
    path = tmp_path / "f"
    path.write_text('id,name\n1,Ann\n\n2,"B\nob"\n3\n4,Dee\n')
    batches = list(open_table(path, name="a.csv").batches(2))
    assert [number for batch in batches for number in batch.numbers] == [2, 4, 6]
    assert [bad.number for batch in batches for bad in batch.rejected] == [5]
    assert batches[0].first_row == 2


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_every_line_end_ends_a_line(ends, tmp_path):
    _, rows, _ = read(tmp_path / "f", ends.join(["id,name", "1,Ann", "2,Bob", ""]).encode())
    assert rows == [("1", "Ann"), ("2", "Bob")]


def test_what_was_guessed_is_said(tmp_path):
    table, rows, _ = read(tmp_path / "f", "id,name\n1,Jürgen\n".encode("cp1252"))
    assert rows == [("1", "Jürgen")]
    assert "Windows-1252" in table.notes[0]


def test_what_was_chosen_overrules_what_was_found(tmp_path):
    data = "Patients of March\nid;name,first\n1;Jürgen,A\n".encode("latin-1")
    table, rows, _ = read(tmp_path / "f", data, encoding="latin-1", delimiter=";", header_row=2)
    assert (table.encoding, table.header, rows) == ("latin-1", ("id", "name,first"), [("1", "Jürgen,A")])


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ({"encoding": "utf-8"}, "wrong_encoding"),
        ({"encoding": "no"}, "unknown_encoding"),
        *[({"encoding": name}, "unknown_encoding") for name in ("rot13", "base64", "zlib", "undefined", "u\x00", "ü")],  # of no texts
        ({"delimiter": ",,"}, "bad_delimiter"),
        ({"header_row": 9}, "bad_header_row"),
    ],
)
def test_a_wrong_choice_is_refused(chosen, code, tmp_path):
    with pytest.raises(UnusableFile) as refused:
        read(tmp_path / "f", "id,name\n1,Jürgen\n".encode("cp1252"), **chosen)
    assert refused.value.problems[0].code == code


def test_excels_own_first_line_names_the_delimiter(tmp_path):
    table, rows, _ = read(tmp_path / "f", b"sep=;\nid;name\n1;a,b\n")
    assert (table.delimiter, table.header, rows) == (";", ("id", "name"), [("1", "a,b")])


def test_gzip_is_unpacked_while_it_is_read_and_hashed_as_it_came(tmp_path):
    data = gzip.compress(b"id,name\n1,Ann\n")
    table, rows, _ = read(tmp_path / "f", data, "a.csv.gz")
    assert (table.bytes, rows) == (len(data), [("1", "Ann")])


def test_unnamed_empty_columns_at_the_end_are_none(tmp_path):
    table, rows, bad = read(tmp_path / "f", b"id,name,,\n1,Ann,,\n2,Bob,,x\n")
    assert (table.header, rows, [each.number for each in bad]) == (("id", "name"), [("1", "Ann")], [3])


def test_a_workbook_gives_text_as_typed_and_numbers_and_dates_as_written(tmp_path):
    book = Workbook()
    book.worksheets[0].append(["id", "zip", "born", "seen", "weight", "big", "yes"])
    book.worksheets[0].append(
        ["007", 2115, date(1980, 3, 12), datetime.fromisoformat("2026-01-02T03:04:05"), 1.5, 1234567890123456789, True]
    )
    book.create_sheet("second").append(["id"])
    book.create_sheet("hidden").sheet_state = "hidden"
    file = BytesIO()
    book.save(file)
    table, rows, _ = read(tmp_path / "f", file.getvalue(), "a.xlsx")
    assert rows == [("007", "2115", "1980-03-12", "2026-01-02T03:04:05", "1.5", "1.234567890123457E+18", "true")]
    assert (table.sheet, table.sheets) == ("Sheet", ("Sheet", "second"))
    with pytest.raises(UnusableFile, match="no visible sheet"):
        read(tmp_path / "f", file.getvalue(), "a.xlsx", sheet="hidden")


def test_errors_of_a_workbook_are_counted(tmp_path):
    book = Workbook()
    book.worksheets[0].append(["id", "name"])
    book.worksheets[0].append(["1", "#N/A"])
    book.worksheets[0]["B2"].data_type = "e"
    file = BytesIO()
    book.save(file)
    table, _, _ = read(tmp_path / "f", file.getvalue(), "a.xlsx")
    assert table.notes == ("1 cells hold an error (#N/A, #REF! ...): they are read as empty",)


@pytest.mark.parametrize("place", ['r="CV200001"', "r='CV200001'", 'r = "CV200001"', "s='1'\tr =\n'cv200001'"])
def test_cells_that_lie_far_apart_are_found_however_their_place_is_written(place, tmp_path):
    sheet = f'<worksheet><sheetData><row r="1"><c r="A1"/></row><row><c {place}><v>1</v></c></row></sheetData></worksheet>'
    data = archive({"[Content_Types].xml": b"<Types/>", "xl/worksheets/sheet1.xml": sheet.encode()})
    with pytest.raises(UnusableFile, match="more than 20,000,000 cells"):
        read(tmp_path / "f", data, "a.xlsx")


def test_parquet_gives_every_kind_of_value_as_text(tmp_path):
    columns = {
        "id": ["007", None],
        "n": [1, None],
        "d": [date(1980, 3, 12), None],
        "t": [datetime.fromisoformat("2026-01-02"), datetime.fromisoformat("2026-01-02T03:04")],
        "m": [Decimal("1.10"), None],
        "l": [["a", "b"], []],
        "b": [True, None],
        "f": [1.0, 2.5],
    }
    file = BytesIO()
    pq.write_table(pa.table(columns), file)
    _, rows, _ = read(tmp_path / "f", file.getvalue(), "a.parquet", rows=1)
    assert rows[0] == ("007", "1", "1980-03-12", "2026-01-02", "1.10", "a|b", "true", "1")
    assert rows[1] == (None, None, None, "2026-01-02T03:04:00", None, "", None, "2.5")


def test_ndjson_keeps_numbers_as_written_and_flattens_objects(tmp_path):
    data = b'{"id":"007","n":1.10,"at":{"city":"Troy"}}\n{"id":12345678901234567890123,"tags":["a","b"],"x":null,"y":true}\n'
    table, rows, _ = read(tmp_path / "f", data, "a.ndjson")
    assert table.header == ("id", "n", "at.city", "tags", "x", "y")
    assert rows == [("007", "1.10", "Troy", None, None, None), ("12345678901234567890123", None, None, "a|b", None, "true")]


@given(st.text(st.sampled_from("a=+-@'\"\t\r\n,;| ＝\x00x"), max_size=12) | st.text(max_size=12))
def test_restoring_gives_back_what_was_neutralised(text):
    safe = neutralise(text)
    assert restore(safe) == text
    assert not any(part.lstrip("'")[:1] in set("=+-@\t\r＝＋－＠\x00") and part[:1] != "'" for part in [safe] if part)
    assert neutralise(restore(safe)) == safe


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "＝1", 'a";=1', "a,=1", "a\n=1", "\x00=1"])
def test_no_program_finds_a_formula(cell):
    for delimiter in ",;\t|":
        for part in neutralise(cell).replace('"', delimiter).replace("\n", delimiter).split(delimiter):
            assert part.lstrip("\x00")[:1] not in set("=+-@＝"), part


@settings(max_examples=60, deadline=None)
@given(rows=_ROWS, delimiter=st.sampled_from(",;\t|"), size=st.integers(1, 4))
def test_what_csv_writes_is_read_again(rows, delimiter, size, tmp_path_factory):
    text = StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([_HEADER, *rows])
    _, found, bad = read(tmp_path_factory.mktemp("law") / "f", text.getvalue().encode(), rows=size, delimiter=delimiter, header_row=1)
    assert (found, bad) == (rows, [])


@settings(max_examples=60, deadline=None)
@given(rows=_ROWS, size=st.integers(1, 4))
def test_a_file_of_rejects_gives_back_the_rows_that_were_rejected(rows, size, tmp_path_factory):
    bad = [BadRow(number, row, rejected("ragged_row", "=mend it", "-note")) for number, row in enumerate(rows, 2)]
    data = b"".join(write_rejects(_HEADER, bad))
    table, found, again = read(tmp_path_factory.mktemp("law") / "f", data, "rejects.csv", rows=size)
    assert (table.header, found, again) == (_HEADER, rows, [])
    assert table.notes == ("a file of rejects: its first four columns are not read",)


@pytest.mark.parametrize("between", [",", ";"], ids=["as it was written", "as a spreadsheet saved it"])
def test_what_stands_in_the_cells_of_rejects_does_not_look_like_their_delimiter(between, tmp_path):
    wanted = (_HEADER, ["a|b|c|d|e|f|g|h|i", "", "x"])
    text = StringIO(newline="")
    csv.writer(text, delimiter=between).writerows([[*REJECT_COLUMNS, *wanted[0]], ["2", "ragged_row", "", "mend it", *wanted[1]]])
    table, found, _ = read(tmp_path / "f", text.getvalue().encode(), "rejects.csv")
    assert (table.header, found) == (wanted[0], [tuple(wanted[1])])


def test_rows_that_the_reader_rejects_are_rejected_again_as_they_were(tmp_path):
    table, _, bad = read(tmp_path / "f", b'id,name\n1,Ann\n2\n3,=cmd,x\n4,"B"b\n' + b"5,J\0\n", "a.csv")
    again, rows, bad_again = read(tmp_path / "g", b"".join(write_rejects(table.header, bad)), "rejects.csv")
    assert (again.header, rows) == (table.header, [])
    assert [each.cells for each in bad_again] == [each.cells for each in bad]


def test_a_folder_says_which_file_is_what(tmp_path):
    (tmp_path / "p.csv").write_text("MRN,HOME,CELL\n1,2,3\n")
    (tmp_path / "s.csv").write_text("id\n1\n")
    (tmp_path / "manifest.toml").write_text(
        'system = "mercy"\n[[files]]\nfile = "p.csv"\ndomain = "patient"\norder = 2\ncolumns = {key = "MRN", phone = ["HOME", "CELL"]}\n'
        '[[files]]\nfile = "s.csv"\ndomain = "supplier"\nsystem = "mercy-erp"\norder = 1\ndelimiter = ";"\n'
    )
    first, second = read_manifest(tmp_path, {"patient", "supplier"})
    assert (first.name, first.system, first.options, first.mapping) == ("s.csv", "mercy-erp", Options(delimiter=";"), ())
    assert [(each.target, each.column) for each in second.mapping] == [("key", "MRN"), ("phone", "HOME"), ("phone", "CELL")]


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("{", "no valid JSON"),
        ("[]", "no object"),
        ("{}", "no list of entries"),
        ('{"files": [{}], "x": 1}', "unknown: x"),
        ('{"files": [{"domain": "patient", "system": "m"}]}', "entry 1: file is missing"),
        ('{"files": [{"file": "p.csv", "domain": "none", "system": "m"}]}', "entry 1: there is no such domain"),
        ('{"files": [{"file": "../p.csv", "domain": "patient", "system": "m"}]}', "outside the folder"),
        ('{"files": [{"file": "q.csv", "domain": "patient", "system": "m"}]}', "no such file"),
        ('{"files": [{"file": "p.csv", "domain": "patient", "system": "m", "shet": "x"}]}', "unknown: shet"),
        ('{"files": [{"file": "p.csv", "domain": "patient", "system": "m", "order": "x"}]}', "order is no whole number"),
        ('{"files": [{"file": "p.csv", "domain": "patient", "system": "m", "columns": {"key": 1}}]}', "a column is no text"),
    ],
)
def test_a_manifest_that_cannot_be_followed_names_its_entry(manifest, says, tmp_path):
    (tmp_path / "p.csv").write_text("id\n1\n")
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(UnusableFile, match=says):
        read_manifest(tmp_path, {"patient"})


_PLAIN_CELL = st.text(st.characters(exclude_characters='\x00\r\n"', exclude_categories=["Cs"]), max_size=6)


@given(
    st.lists(st.one_of(st.lists(_PLAIN_CELL, min_size=3, max_size=3), st.lists(_PLAIN_CELL, max_size=4)), min_size=1, max_size=6),
    st.sampled_from([",", ";", "|", " "]),
    st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=6, max_size=6),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_lines_without_quotation_marks_are_cut_as_the_reader_cuts_them(rows, delimiter, ends, is_ended):
    lines = [delimiter.join(row) + end for row, end in zip(rows, ends, strict=False)]
    if not is_ended:
        lines[-1] = lines[-1].rstrip("\r\n")
    found = cut(lines, delimiter)
    assert found is None or [*map(list, found)] == list(csv.reader(lines, delimiter=delimiter, strict=True))
    widths = {line.count(delimiter) for line in lines}
    assert (found is None) == (len(widths) > 1 or widths == {0})


@pytest.mark.parametrize("rows", [2, 100])
def test_lines_with_and_without_quotation_marks_are_read_alike(rows, tmp_path):
    text = 'id,name,note\r\n1,Ann,\r\n2,"Bob, Jr.","says ""no"""\r\n0,Al,\r\n,,\r\n3,Cy\r\n4,Dee, x \r\n5,"two\r\nlines",\r\n6,Eve,z'
    _, good, bad = read(tmp_path / "f", text.encode(), rows=rows)
    assert good == [
        ("1", "Ann", ""), ("2", "Bob, Jr.", 'says "no"'), ("0", "Al", ""), ("4", "Dee", " x "),
        ("5", "two\r\nlines", ""), ("6", "Eve", "z"),
    ]  # fmt: skip
    assert [(row.number, row.reject.code) for row in bad] == [(6, "ragged_row")]


@given(st.lists(st.tuples(_CELL, _CELL, _CELL).filter(any), min_size=3, max_size=12), st.lists(st.booleans(), min_size=12, max_size=12))
@settings(max_examples=100, deadline=None)
def test_a_line_is_read_alike_whatever_stands_in_others(tmp_path_factory, rows, are_quoted):
    text = StringIO()
    for row, is_quoted in zip([_HEADER, *rows], [False, *are_quoted], strict=False):
        csv.writer(text, quoting=csv.QUOTE_ALL if is_quoted else csv.QUOTE_MINIMAL).writerow(row)
    path = tmp_path_factory.getbasetemp() / "mixed.csv"
    _, together, _ = read(path, text.getvalue().encode(), rows=100, encoding="utf-8", delimiter=",", header_row=1)
    _, alone, _ = read(path, text.getvalue().encode(), rows=1, encoding="utf-8", delimiter=",", header_row=1)
    assert together == alone == rows
