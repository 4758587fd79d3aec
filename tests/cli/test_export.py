"""`mdm export` writes a file that is complete or not there, and says what is in it."""

import csv
import hashlib
import json

import pyarrow.parquet as pq


def test_a_crosswalk_goes_to_a_file_with_its_description(mdm, tmp_path):
    said = mdm("export", "crosswalk", "--domain", "supplier", "--to", str(tmp_path / "x.csv"), "--json")
    about = json.loads(said.out)
    assert (said.status, about["rows"] > 0, about["format"], about["since"]) == (0, True, "csv", None)
    assert json.loads((tmp_path / "x.csv.json").read_text()) == about
    data = (tmp_path / "x.csv").read_bytes()
    assert about["sha256"] == hashlib.sha256(data).hexdigest()
    assert len(list(csv.DictReader(data.decode().splitlines()))) == about["rows"]
    assert sorted(path.name for path in tmp_path.glob("*x.csv*")) == ["x.csv", "x.csv.json"]
    again = json.loads(mdm("export", "crosswalk", "--domain", "supplier", "--to", str(tmp_path / "x.parquet"), "--json").out)
    assert (again["version"], pq.read_table(tmp_path / "x.parquet").num_rows) == (about["version"], about["rows"])


def test_golden_records_go_out_by_what_changed_since(mdm, tmp_path):
    about = json.loads(mdm("export", "golden", "--domain", "supplier", "--to", str(tmp_path / "g.csv"), "--json").out)
    said = mdm("export", "golden", "--domain", "supplier", "--since", about["position"], "--to", str(tmp_path / "d.csv"))
    assert (said.status, "0 rows" in said.out) == (0, True)


def test_without_a_file_the_rows_go_to_the_output_and_what_they_are_beside_it(mdm):
    said = mdm("export", "crosswalk", "--domain", "supplier", "--system", "erp-north", "--json")
    rows = list(csv.DictReader(said.out.splitlines()))
    assert (said.status, {(row["system"], row["value"]) for row in rows}) == (0, {("erp-north", "1"), ("erp-north", "2")})
    assert json.loads(said.err)["rows"] == 2


def test_what_cannot_be_exported_leaves_no_file(mdm, tmp_path):
    for arguments in (["--domain", "none"], ["--domain", "supplier", "--system", "none"], ["--domain", "supplier", "--since", "x"]):
        said = mdm("export", "crosswalk", *arguments, "--to", str(tmp_path / "x.csv"))
        assert (said.status in {1, 2}, said.err.startswith("mdm: ")) == (True, True)
    assert mdm("export", "crosswalk", "--domain", "supplier", "--to", str(tmp_path / "x.doc")).status == 2
    assert not list(tmp_path.glob("*x.*"))


def test_an_option_that_cannot_be_is_named_as_it_was_given(mdm, tmp_path):
    said = mdm("export", "golden", "--domain", "supplier", "--since", "abc")
    assert (said.status, "position" in said.err, said.out) == (2, True, "")
    place = tmp_path / "nowhere" / "a.csv"
    said = mdm("export", "golden", "--domain", "supplier", "--to", str(place))
    assert (said.status, f"{place}: " in said.err) == (2, True)
