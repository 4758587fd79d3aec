"""`mdm match evaluate` and `grade` over files that the tests write. No database is there, and none is asked for."""

import gzip
import json
import os
import random
import sys
from pathlib import Path

import pytest

from mdm.cli import main

PATIENTS = "id,given_name,family_name,birth_date,person\n1,Annika,Vesterholm,1984-03-17,a\n2,Annika,Vesterholm,1984-03-17,a\n"
SHARES = {"precision", "recall", "f1"}
REPORT = SHARES | {"at_review", "b_cubed", "blocking_recall", "reduction_ratio", "pairs", "seconds", "peak_mb"}


@pytest.fixture
def match(tmp_path, monkeypatch, capsys):
    """match("evaluate", ...) in an empty folder, with nothing in the environment -> (status, out, err)."""
    for name in [name for name in os.environ if name.startswith("MDM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MDM_DATABASE_URL", "postgresql://u@127.0.0.1:9/none")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        capsys.readouterr()
        return (main(["match", *arguments]), *capsys.readouterr())

    return run


@pytest.fixture
def refusal(match):
    """refusal("evaluate", ...) -> the one line that says why not."""

    def run(*arguments):
        status, out, err = match(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("mdm: ")
        return err

    return run


@pytest.fixture
def patients(tmp_path):
    return written(tmp_path / "patients.csv", PATIENTS)


def written(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def asked(records, *more, domain="patient", entity="person"):
    return "evaluate", "--domain", domain, "--records", records, "--id", "id", "--entity", entity, *more


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        ("id,given_name,person\n", "no rows"),
        ("id,given_name,person\n1,Ann,a\n", "one row"),
        ("id,given_name,person\n1,Ann,a\n1,Ann,a\n", "not unique"),
        ("id,given_name,person\n1,Ann,a\n,Ann,a\n", "row 2: no id"),
        ("id,given_name,person\n1,Ann,a\n2,Ann\n", "line 3: 2 cells where the header has 3"),
        ("id,given_name,given_name,person\n1,Ann,Ann,a\n2,Ann,Ann,a\n", "two columns called 'given_name'"),
        ('id,given_name,person\n1,"Ann,a\n2,Bo,b\n', "no CSV"),
        ("id,given_name,person\n1,Zoë,a\n2,Ann,a\n".encode("latin-1"), "not UTF-8"),
        (b"\x1f\x8bnothing", "damaged gzip"),
        ("key,given_name,person\n1,Ann,a\n2,Bo,b\n", "no column called 'id'"),
        ("id,given_name\n1,Ann\n2,Bo\n", "no column called 'person'"),
        ("id,first,person\n1,Ann,a\n2,Bo,b\n", "no column is named like an attribute"),
    ],
)
def test_a_file_that_cannot_be_used(refusal, tmp_path, content, reason):
    assert reason in refusal(*asked(written(tmp_path / "records.csv", content)))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--columns", "given_name=first"], "no column called 'first'"),
        (["--columns", "shoe_size=given_name"], "no attribute called 'shoe_size'"),
        (["--columns", "given_name"], "attribute=column"),
        (["--columns", "given_name=given_name,given_name=family_name"], "given_name twice"),
        (["--columns", "local_id=person"], "is the truth"),
        (["--truth", "pairs.csv"], "not both"),
        (["--left", "other.csv"], "--records F, or --left F and --right F"),
        (["--many"], "two files"),
        (["--plots", "patients.csv"], "patients.csv"),
    ],
)
def test_options_that_cannot_be_used(refusal, patients, options, reason):
    assert reason in refusal(*asked(patients, *options))


def test_a_file_or_a_domain_that_is_not_there(refusal, patients, tmp_path):
    assert "none.csv: No such file" in refusal(*asked(str(tmp_path / "none.csv")))
    assert "Is a directory" in refusal(*asked(str(tmp_path)))
    assert "no such domain: planet; there are account" in refusal(*asked(patients, domain="planet"))


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ("a,b\n1,2\n1,77\n", "1 rows name no known record in column 'b' (first: row 2)"),
        ("row_a,row_b\n0,2\n", "1 rows name no known record in column 'row_b'"),
        ("a,b\n2,2\n", "row 1: a record paired with itself"),
        ("a,b,score\n1,2,0.5\n", "3 columns"),
        ("a,b\n", "no rows"),
    ],
)
def test_true_pairs_that_cannot_be_used(refusal, patients, tmp_path, pairs, reason):
    truth = written(tmp_path / "truth.csv", pairs)
    assert reason in refusal("evaluate", "--domain", "patient", "--records", patients, "--id", "id", "--truth", truth)


def test_no_cell_is_repeated_in_a_refusal(refusal, tmp_path):
    records = written(tmp_path / "records.csv", "id,given_name,person\nsecret,Ann,a\nsecret,Ann,a\n")
    assert "secret" not in refusal(*asked(records))


def people(count, seed=4):
    """Persons, each in two records, the second with a typing error in the family name: rows of id, attributes and person."""
    draw = random.Random(seed)
    syllables = ["ba", "den", "fir", "go", "hul", "kim", "lo", "mer", "nas", "pol", "rit", "sun", "tav", "wex", "yor", "zab"]
    rows = []
    for person in range(count):
        given, family = ("".join(draw.choices(syllables, k=3)) for _ in range(2))
        born = f"{draw.randint(1930, 2015)}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
        place = draw.randrange(1, len(family) - 1)
        slip = family[:place] + family[place + 1] + family[place] + family[place + 2 :]
        rows += [(f"{person}a", given, family, born, str(person)), (f"{person}b", given, slip, born, str(person))]
    return rows


def csv_of(rows):
    return "\n".join(["id,given_name,family_name,birth_date,person", *(",".join(row) for row in rows), ""])


def report(said):
    status, out, err = said
    assert (status, err) == (0, "")
    return json.loads(out)


def test_sixty_persons_in_one_file(match, tmp_path):
    records = tmp_path / "records.csv.gz"
    records.write_bytes(gzip.compress(b"\xef\xbb\xbf" + csv_of(people(60)).encode()))
    found = report(match(*asked(str(records), "--json")))
    assert found.keys() >= REPORT
    assert found["at_review"].keys() == found["b_cubed"].keys() == SHARES
    assert found["records"] == 120
    assert found["precision"] >= 0.95
    assert found["at_review"]["recall"] >= 0.9
    assert found["blocking_recall"] == 1.0
    assert 0 < found["pairs"] <= 120 * 119 / 2 * (1 - found["reduction_ratio"]) + 1e-6


def test_the_same_truth_as_a_column_as_ids_and_as_row_numbers(match, tmp_path):
    rows = people(30)
    records = written(tmp_path / "records.csv", csv_of(rows))
    ids = written(tmp_path / "ids.csv", "a,b\n" + "".join(f"{n}b,{n}a\n" for n in range(30)))
    numbers = written(tmp_path / "numbers.csv", "row_a,row_b\n" + "".join(f"{2 * n},{2 * n + 1}\n" for n in range(30)))
    by_column = report(match(*asked(records, "--no-train", "--json")))
    for truth in (ids, numbers):
        by_pairs = report(
            match("evaluate", "--domain", "patient", "--records", records, "--id", "id", "--truth", truth, "--no-train", "--json")
        )
        assert [by_pairs[share] for share in ("f1", "b_cubed", "blocking_recall")] == [
            by_column[share] for share in ("f1", "b_cubed", "blocking_recall")
        ]


@pytest.mark.parametrize("more", [[], ["--many"]])
def test_two_files_whose_ids_repeat_each_other(match, tmp_path, more):
    rows = people(60)
    left, right = (written(tmp_path / f"{part}.csv", csv_of((row[0][:-1], *row[1:]) for row in rows[part::2])) for part in (0, 1))
    truth = written(tmp_path / "truth.csv", "id_left,id_right\n" + "".join(f"{n},{n}\n" for n in range(60)))
    files = ["evaluate", "--domain", "patient", "--left", left, "--right", right, "--id", "id", *more, "--json"]
    by_pairs, by_column = report(match(*files, "--truth", truth)), report(match(*files, "--entity", "person"))
    assert by_pairs["f1"] == by_column["f1"]
    assert by_pairs["precision"] >= 0.95
    assert by_pairs["reduction_ratio"] == pytest.approx(1 - by_pairs["pairs"] / 3600)


def test_what_does_not_clean_is_counted_and_left_out(match, tmp_path):
    rows = "1,Annika,Vesterholm,31-31-31,,a\n2,Annika,Vesterholm,1984-03-17,,a\n3,Bo," + "x" * 300 + ",1990-01-02,,b\n"
    records = written(tmp_path / "records.csv", "id,given_name,family_name,birth_date,phone,person\n" + rows)
    notes = report(match(*asked(records, "--no-train", "--json")))["notes"]
    assert notes == {"empty_column": {"phone": 1}, "not_understood": {"birth_date": 1}, "too_long": {"family_name": 1}}


def test_a_column_that_is_named_like_nothing_is_said_to_be_left_out(match, tmp_path):
    rows = "id,given_name,Surname,birth_date,person\n1,Annika,Vesterholm,1984-03-17,a\n2,Bo,Vesterholm,1990-01-02,b\n"
    records = written(tmp_path / "records.csv", rows)
    assert report(match(*asked(records, "--no-train", "--json")))["notes"] == {"not_compared": {"Surname": 2}}
    said = match(*asked(records, "--no-train"))[1]
    assert "Surname not_compared: 2" in said
    assert "say --columns" in said
    named = "given_name=given_name,family_name=Surname,birth_date=birth_date"
    assert report(match(*asked(records, "--no-train", "--json", "--columns", named)))["notes"] == {}


def test_records_without_an_entity_are_nobody_elses(match, tmp_path):
    records = written(tmp_path / "records.csv", PATIENTS.replace(",a\n", ",\n"))
    assert report(match(*asked(records, "--no-train", "--json")))["recall"] == 1.0


def test_a_table_for_people_and_diagrams(match, patients, tmp_path):
    pytest.importorskip("matplotlib")
    status, out, err = match(*asked(patients, "--no-train", "--plots", str(tmp_path / "plots")))
    assert (status, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[:4]] == ["precision", "at", "at", "B-cubed"]
    drawn = {path.name for path in Path(tmp_path / "plots").iterdir()}
    assert drawn == {"scores.svg", "precision_recall.svg", "review_load.svg", "levels.svg"}


TWINS = "left.given_name,left.birth_date,left.family_name,right.given_name,right.birth_date,right.family_name,why,label\n"


def test_labelled_pairs_are_graded(match, tmp_path):
    pairs = written(
        tmp_path / "pairs.csv",
        TWINS
        + "Annika,1984-03-17,Vesterholm,Annika,1984-03-17,Vesterholm,the same,match\n"
        + "Annika,1984-03-17,Vesterholm,Bodil,1951-12-01,Quist,nothing in common,Different\n"
        + "Annika,1984-03-17,Vesterholm,Bodil,1951-12-01,Quist,labelled wrongly,match\n",
    )
    graded = report(match("grade", pairs, "--domain", "patient", "--json"))
    nothing = {"link": 0, "review": 0, "new": 0}
    assert graded["table"] == {"match": {**nothing, "link": 1, "new": 1}, "possible": nothing, "different": {**nothing, "new": 1}}
    assert graded["macro_f1"] == pytest.approx(2 / 3)
    assert "notes" in graded
    assert "macro F1   0.6667" in match("grade", pairs, "--domain", "patient")[1]


def test_a_vetoed_pair_is_at_most_for_review(match, tmp_path):
    fields = ["given_name", "family_name", "birth_date", "suffix", "ssn"]
    header = ",".join([*(f"{side}.{field}" for side in ("left", "right") for field in fields), "label\n"])
    person = "Annika,Vesterholm,1984-03-17,{},219-09-9977"
    pairs = written(tmp_path / "pairs.csv", header + f"{person.format('JR')},{person.format('SR')},possible\n")
    assert report(match("grade", pairs, "--domain", "patient", "--json"))["table"]["possible"]["review"] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (TWINS.replace(",label", ",verdict") + "A,,B,A,,B,x,match\n", "no column called 'label'"),
        (TWINS + "A,,B,A,,B,x,maybe\n", "row 1: a label is one of match, possible, different"),
        ("left.given_name,right.shoe_size,label\nA,4,match\n", "no attribute called shoe_size"),
        ("left.given_name,label\nA,match\n", "no column called right.<attribute>"),
    ],
)
def test_labelled_pairs_that_cannot_be_used(refusal, tmp_path, content, reason):
    assert reason in refusal("grade", written(tmp_path / "pairs.csv", content), "--domain", "patient")


def test_spark_takes_one_file_and_trains_nothing(refusal, patients):
    assert "--no-train" in refusal(*asked(patients, "--spark-url", "local[1]"))


def test_without_pyspark_it_says_what_to_install(refusal, patients, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark", None)
    assert "extra 'spark'" in refusal(*asked(patients, "--no-train", "--spark-url", "local[1]"))
