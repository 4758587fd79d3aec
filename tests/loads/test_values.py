from collections import Counter
from dataclasses import asdict
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.entities import ENTITY_TYPES
from mdm.errors import ConcordError, UnusableInput
from mdm.identifier_systems import BY_CODE
from mdm.load_profile import Finder, Profiler
from mdm.load_steps import KINDS, ORDERS, Step, cell_of, given_step, read_step
from mdm.load_table import RowReject
from mdm.load_targets import KEY, Binding, check_mapping, read_columns, targets
from mdm.load_values import Converter
from mdm.standardise import Delivery, standardise
from mdm.statements import Assertion
from tests.loads.conftest import as_columns

PATIENT, LOCATION = ENTITY_TYPES["patient"], ENTITY_TYPES["location"]


class Declared:
    """The identifier systems as declared, and one source."""

    def resolve(self, name):
        return name if name in BY_CODE or name == "mercy" else None

    def value_type(self, code):
        return BY_CODE[code].type

    def is_source(self, code):
        return code == "mercy"


def converter(entity, columns, steps=(), header=None):
    mapping = read_columns(columns)
    return Converter(entity, "mercy", header or [each.column for each in mapping], mapping, steps)


def test_a_row_becomes_what_a_system_would_deliver():
    made = converter(PATIENT, "key=MRN,given_name=FIRST,phone=HOME,phone=CELL,identifier:us-ssn=SSN,status=ST,valid_from=FROM").convert(
        ("007", "Ann", "555-201-3344", None, "123-45-6789", "Inactive", "2026-07-01")
    )
    attributes = {"given_name": "Ann", "phone": ["555-201-3344"]}
    assert made == Delivery("mercy", "007", attributes, [("us-ssn", "123-45-6789")], "inactive", date(2026, 7, 1), None, None)


def test_relationships_name_the_loaded_system_unless_they_say_another():
    made = converter(LOCATION, "key=K,name=N,relationship:part_of=UP,relationship:part_of/cost@mercy-erp=CC").convert(
        ("1", "Ward", "7", "8")
    )
    assert made.relationships == (Assertion("part_of", "mercy", "7"), Assertion("part_of", "mercy-erp", "8", tree="cost"))
    assert converter(LOCATION, "key=K,name=N").convert(("1", "Ward")).relationships is None
    assert converter(LOCATION, "key=K,name=N,relationship:part_of=UP").convert(("1", "Ward", "")).relationships == ()


@pytest.mark.parametrize(
    ("columns", "row", "problem"),
    [
        ("key=K,name=N", (" ", "Ward"), ("missing_key", "K")),
        ("key=K,name=N", ("k" * 201, "Ward"), ("invalid_key", "K")),
        ("key=K,name=N", ("1", " "), ("required", "N")),
        ("key=K,name=N", ("1", "W" * 100_000), ("too_long", "N")),
        ("key=K,name=N,identifier:gs1-gln=G", ("1", "Ward", "9" * 201), ("too_long", "G")),
        ("key=K,name=N,status=S", ("1", "Ward", "gone"), ("unknown_status", "S")),
        ("key=K,name=N,valid_from=F", ("1", "Ward", "1999"), ("invalid_date", "F")),
        ("key=K,name=N,valid_from=F,valid_to=T", ("1", "Ward", "2026-07-02", "2026-07-01"), ("invalid_period", "T")),
        ("key=K,name=N,relationship:part_of=U", ("1", "Ward", "u" * 201), ("invalid_key", "U")),
        ("key=K,name=N,relationship:part_of=U", ("1", "Ward", "\x01"), ("invalid_key", "U")),
        ("key=K,name=N,relationship:part_of=U,relationship:part_of=V", ("1", "Ward", "7", "8"), ("two_targets", "V")),
    ],
)
def test_what_cannot_be_delivered_names_code_and_column(columns, row, problem):
    made = converter(LOCATION, columns).convert(row)
    assert isinstance(made, RowReject)
    assert (made.code, made.column) == problem
    assert made.fix


def test_every_problem_of_a_row_is_told_at_once():
    made = converter(LOCATION, "key=K,name=N,status=S").convert(("", "", "gone"))
    assert [each.code for each in made.problems] == ["missing_key", "required", "unknown_status"]


_COLUMNS = "key=K,name=N,phone=P,identifier:gs1-gln=G,identifier:us-ccn=C,status=S,valid_from=F,valid_to=T,relationship:part_of=U"
_WORD = st.one_of(
    st.sampled_from(
        [None, "", " ", "x", "x" * 201, "x" * 5_000, "active", "gone", "2026-07-01", "2026", "1;2;3", "\x01", ";".join(map(str, range(60)))]
    ),
    st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=5),
)
_STEPS = (Step("split", "G", separator=";"), Step("split", "C", separator=";"), Step("split", "U", separator=";"), Step("trim", "N"))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(*[_WORD] * 9), min_size=1, max_size=6), st.booleans())
def test_screening_rejects_exactly_what_converting_rejects(rows, with_steps):
    one, other = (converter(LOCATION, _COLUMNS, _STEPS if with_steps else ()) for _ in range(2))
    made = [one.convert(row) for row in rows]
    repaired = other.repair(rows)
    assert other.screen(repaired) == {place: each for place, each in enumerate(made) if isinstance(each, RowReject)}
    assert [other.deliver(row) for row in repaired] == made
    sound = [other.deliver_sound(row) for row, each in zip(repaired, made, strict=True) if not isinstance(each, RowReject)]
    assert sound == [each for each in made if not isinstance(each, RowReject)]
    assert one.applied == other.applied


@settings(max_examples=150, deadline=None)
@given(st.tuples(*[_WORD] * 9))
def test_what_converts_is_accepted_online(row):
    made = converter(LOCATION, _COLUMNS, _STEPS).convert(row)
    assert isinstance(made, RowReject) or _refusal(made) is None


def _refusal(delivery):
    try:
        standardise(LOCATION, delivery, Declared())
    except ConcordError as error:
        return error.problems[0].code
    return None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("separator", 5),
        ("width", 3.5),
        ("width", True),
        ("on", "false"),
        ("kind", None),
        ("pairs", [["a", 1]]),
        ("pairs", "ab"),
        ("wdth", 3),
    ],
)
def test_a_step_with_a_field_of_another_type_is_refused_by_name(field, value):
    with pytest.raises(UnusableInput) as refused:
        given_step({"kind": "trim", "column": "c", field: value})
    assert [each.pointer for each in refused.value.problems] == [f"/{field}"]


def test_a_step_is_an_object_that_names_kind_and_column():
    with pytest.raises(UnusableInput) as refused:
        given_step({"order": "DMY"})
    assert [each.pointer for each in refused.value.problems] == ["/kind", "/column"]
    with pytest.raises(UnusableInput):
        given_step(5)


@pytest.mark.parametrize(
    ("step", "before", "after"),
    [
        (Step("trim", "c"), "  a  b ", "a b"),
        (Step("date_order", "c", order="DMY"), "03/04/1990", "1990-04-03"),
        (Step("date_order", "c", order="MDY"), "3-4-1990 10:11", "1990-03-04"),
        (Step("date_order", "c", order="YMD"), "1990.3.4", "1990-03-04"),
        (Step("date_order", "c", order="DMY"), "03/04/90", "04/03/90"),
        (Step("date_order", "c", order="DMY"), "1990-04-03", "1990-04-03"),
        (Step("serial_dates", "c"), "29292", "1980-03-12"),
        (Step("serial_dates", "c"), "12/03/1980", "12/03/1980"),
        (Step("pad_zeros", "c", width=5), "2115", "02115"),
        (Step("pad_zeros", "c", width=5), "A15", "A15"),
        (Step("plain_numbers", "c"), "1.234E+3", "1234"),
        (Step("plain_numbers", "c"), "123.0", "123"),
        (Step("plain_numbers", "c"), "1.5", "1.5"),
        (Step("map_values", "c", pairs=(("Femal", "F"), ("?", ""))), " Femal ", "F"),
        (Step("map_values", "c", pairs=(("Femal", "F"), ("?", ""))), "?", ""),
    ],
)
def test_a_step_repairs_what_it_understands_and_leaves_the_rest(step, before, after):
    assert cell_of(step)(before) == after


def test_a_step_counts_the_rows_that_it_changed_and_does_nothing_when_it_is_off():
    steps = (Step("trim", "N"), Step("map_values", "K", pairs=(("1", "one"),), on=False))
    made = converter(LOCATION, "key=K,name=N", steps)
    assert [made.convert(row).key for row in (("1", " Ward "), ("2", "Ward"))] == ["1", "2"]
    assert made.applied == Counter({"trim N": 1})


def test_two_steps_of_one_column_act_one_after_the_other():
    steps = (Step("plain_numbers", "K"), Step("pad_zeros", "K", width=6))
    assert converter(LOCATION, "key=K,name=N", steps).convert(("123.0", "Ward")).key == "000123"


@given(st.sampled_from(KINDS), st.sampled_from(ORDERS), st.integers(1, 50))
def test_steps_survive_being_stored(kind, order, width):
    step = Step(kind, "c", order=order, width=width, pairs=(("a", "b"),), separator=";")
    assert read_step(step.as_json()) == step
    assert asdict(step) == step.as_json()


@pytest.mark.parametrize(
    "raw", [{"kind": "none", "column": "c"}, {"kind": "pad_zeros", "column": "c"}, {"column": "c"}, {"kind": "split", "column": "c"}]
)
def test_a_step_that_says_too_little_is_refused(raw):
    with pytest.raises(UnusableInput):
        given_step(raw)


@given(
    st.lists(
        st.builds(Binding, st.sampled_from(targets(PATIENT)), st.text(st.characters(categories=["L", "P", "N"]), min_size=1, max_size=9))
    )
)
def test_columns_are_read_as_they_are_written(mapping):
    assert read_columns(as_columns(tuple(mapping))) == tuple(mapping)


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ("key=K", "missing_target"),
        ("key=K,name=N,nose=N", "unknown_target"),
        ("key=K,name=X", "unknown_column"),
        ("key=K,name=N,name=K", "two_columns"),
        ("key=K,name=N,identifier:none=N", "unknown_system"),
        ("key=K,name=N,relationship:none=N", "unknown_relationship"),
        ("key=K,name=N,relationship:part_of@none=N", "unknown_system"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_before_any_row(columns, code):
    with pytest.raises(UnusableInput) as refused:
        check_mapping(LOCATION, ["K", "N"], read_columns(columns), Declared())
    assert code in {problem.code for problem in refused.value.problems}


def test_a_mapping_that_can_be_is_accepted():
    columns = "key=K,name=N,phone=P,relationship:part_of@mercy=P"
    check_mapping(LOCATION, ["K", "N", "P"], read_columns(columns), Declared())


def findings(entity, columns, rows):
    mapping = read_columns(columns)
    profiler = Profiler(entity, [each.column for each in mapping], mapping)
    profiler.add(rows)
    return {(each.code, each.column): each for each in profiler.findings()}


def test_dates_that_mean_two_days_must_be_chosen_and_the_evidence_is_told():
    found = findings(PATIENT, "key=K,birth_date=D", [("1", "03/04/1990"), ("2", "25/12/1990"), ("3", "05/05/1990"), ("4", "1990-01-01")])
    order = found["date_order", "D"]
    assert (order.message, order.must_be_chosen) == ("1 rows fit only DD/MM, 0 only MM/DD, 1 fit both", True)
    assert [step.order for step in order.steps] == ["DMY", "MDY"]


def test_dates_that_fit_only_the_usual_order_need_no_choice():
    assert not findings(PATIENT, "key=K,birth_date=D", [("1", "03/04/1990"), ("2", "12/25/1990")])


def test_lost_zeros_are_found_where_the_kind_wants_them():
    rows = [(f"{number}", "x") for number in range(1000, 1090)] + [("99", "x")]
    assert findings(LOCATION, "key=K,name=N", rows)["lost_zeros", "K"].steps == (Step("pad_zeros", "K", width=4),)
    assert not findings(LOCATION, "key=K,name=N", [*rows, ("0123", "x")])


def test_scientific_notation_says_whether_digits_are_gone():
    whole = findings(LOCATION, "key=K,name=N", [("1E+05", "x")])["scientific", "K"]
    assert whole.steps == (Step("plain_numbers", "K"),)
    assert findings(LOCATION, "key=K,name=N", [("1.23457E+11", "x")])["lost_digits", "K"].must_be_chosen


def test_unknown_values_are_counted_and_their_likely_meaning_is_offered():
    found = findings(
        LOCATION, "key=K,name=N,kind=T,status=S", [("1", "a", "Buildng", "actve"), ("2", "b", "Buildng", "active"), ("3", "c", "zoo", "?")]
    )
    assert found["unknown_values", "T"].values == (("Buildng", 2), ("zoo", 1))
    assert found["unknown_values", "T"].steps == (Step("map_values", "T", pairs=(("Buildng", "building"),)),)
    assert found["unknown_values", "S"].rows == 2


def test_day_numbers_lists_and_blanks_are_found():
    found = findings(PATIENT, "key=K,birth_date=D,phone=P", [(" 1", "29292", "1|2"), ("2", "1980-01-01", "3")])
    assert {code for code, _ in found} == {"serial_dates", "lists", "blanks"}


def test_a_profile_counts():
    profiler = Profiler(LOCATION, ["K", "N"], read_columns("key=K,name=N"))
    profiler.add([("1", "Ward"), ("22", None)])
    profiler.add([("333", "Ward")])
    key, name = profiler.columns()
    assert (key.filled, key.different, key.shortest, key.longest, key.is_key) == (3, 3, 1, 3, True)
    assert (name.filled, name.different, name.is_key) == (2, 1, False)


_PROFILED = "key=K,name=N,phone=P,kind=T,status=S,valid_from=F,identifier:gs1-gln=G,relationship:part_of=U"
_SAID = st.sampled_from(
    [None, "", " x", "x ", "x", "12", "123", "0123", "456", "1E+05", "1.2e11", "29292", "1|2", "1;2", "03/04/1990", "25/12/90", "active",
     "actve", "building", "é\u00a0", "\t1"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(st.tuples(*[_SAID] * 8), max_size=12), max_size=4), st.integers(1, 8))
def test_whoever_only_looks_for_findings_finds_what_a_profile_has(batches, different_max):
    mapping = read_columns(_PROFILED)
    header = [each.column for each in mapping]
    finder, profiler = Finder(LOCATION, header, mapping), Profiler(LOCATION, header, mapping)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mdm.load_profile.DIFFERENT_MAX", different_max)
        for rows in batches:
            finder.add_columns([*zip(*rows, strict=True)])
            profiler.add(rows)
    assert finder.findings() == profiler.findings()


@given(st.lists(st.tuples(_WORD), max_size=6), st.booleans())
def test_the_keys_of_many_rows_are_those_of_each(rows, are_plain):
    one = converter(LOCATION, "key=K")
    keys = [("1",), ("A-7",)] if are_plain else rows
    assert one.keys([*zip(*keys, strict=True)]) == [one.key(row) for row in keys]


def test_every_domain_can_be_loaded_by_every_name_that_it_has():
    for entity in ENTITY_TYPES.values():
        mapping = tuple(Binding(target, target) for target in targets(entity))
        check_mapping(entity, targets(entity), mapping, Declared())
        made = Converter(entity, "mercy", targets(entity), mapping).convert(tuple("x" if each == KEY else "" for each in targets(entity)))
        assert isinstance(made, Delivery | RowReject)
