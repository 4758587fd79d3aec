"""Names of persons: nicknames, sounds, titles, generations, and names that are none."""

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.values.person_name import FAMILY_NAME, FULL_NAME, GIVEN_NAME, MIDDLE_NAME, NAME_SUFFIX

NO_NAMES = [
    "BABY BOY", "Baby Boy A", "BABYGIRL", "Babygirl B", "BB", "BG", "bb 2", "Newborn", "NEWBORN GIRL", "Infant", "infant of Judy", "BOY A",
    "Girl B", "GIRL 2", "Twin A", "TWIN B", "Judy Girl A", "Judysgirl", "Judy's Boy B", "UNKNOWN", "unk", "Unknown Male", "John Doe",
    "JANE DOE", "Doe, Jane", "John Doe 7", "Trauma", "TRAUMA 12", "Trauma Alpha", "TEST", "Test Patient", "ZZTEST",
    "ZZTEST MARY", "ZZZ TEST",
    "DO NOT USE", "do not use - merged", "XXX", "None", "N/A", "REFUSED", "Anonymous",
]  # fmt: skip
NAMES = [
    "Maria", "Boyd", "Testa", "Infante", "Ann", "Doering", "Babs", "Babette", "Trumann", "Marie-Claire", "O", "Ng",
    "Xi", "Twinkle", "Unkel",
    "Girlie", "Malek", "Zztop",
]  # fmt: skip


@pytest.mark.parametrize("name", NO_NAMES)
@pytest.mark.parametrize("kind", [GIVEN_NAME, FAMILY_NAME, FULL_NAME], ids=lambda kind: kind.name)
def test_a_stand_in_for_a_name_is_a_placeholder(kind, name) -> None:
    assert kind.read(name).problem == "placeholder"


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_only_looks_like_a_placeholder_is_evidence(name) -> None:
    assert FAMILY_NAME.read(name).is_evidence


def test_a_name_is_kept_as_written() -> None:
    assert GIVEN_NAME.read("  María\tJosé ").value == "María José"


def test_names_are_compared_without_marks_hyphens_and_apostrophes() -> None:
    assert GIVEN_NAME.features("Jean-Luc")[""] == GIVEN_NAME.features("JEAN LUC")[""] == "jean luc"
    assert FAMILY_NAME.features("O’Brien")[""] == "obrien"
    assert FAMILY_NAME.features("Łukasiewicz")[""] == "lukasiewicz"


def test_titles_are_no_part_of_a_given_name() -> None:
    assert GIVEN_NAME.features("Dr. Ana")[""] == "ana"


def test_generation_words_are_no_part_of_a_family_name() -> None:
    assert FAMILY_NAME.features("Rivera Jr.")[""] == "rivera"
    assert FAMILY_NAME.features("Rivera III")[""] == "rivera"
    assert GIVEN_NAME.features("Orson Jr")[""] == GIVEN_NAME.features("Orson, Sr.")[""] == "orson"


@pytest.mark.parametrize(
    ("kind", "written", "generation"),
    [
        (FAMILY_NAME, "Rivera Jr.", "jr"),
        (FAMILY_NAME, "Rivera 3rd", "iii"),
        (FAMILY_NAME, "Ii Sr", "sr"),
        (FAMILY_NAME, "Ii", None),
        (FAMILY_NAME, "Rivera V", None),
        (FAMILY_NAME, "Rivera 2", None),
        (GIVEN_NAME, "Orson Sr", "sr"),
        (GIVEN_NAME, "Juan Junior", "jr"),
        (GIVEN_NAME, "Junior", None),
        (GIVEN_NAME, "Sr. Maria", None),
        (FULL_NAME, "Garcia Sr, Jose", "sr"),
        (FULL_NAME, "Garcia, Jr., Jose", "jr"),
        (FULL_NAME, "Garcia, Jose II", "ii"),
        (FULL_NAME, "Jose Garcia 4th", "iv"),
        (FULL_NAME, "Naosuke Ii", None),
        (FULL_NAME, "Sr. Maria Garcia", None),
        (FULL_NAME, "Sir William Dawes, 3rd Baronet", None),
    ],
)
def test_a_name_tells_its_generation(kind, written, generation) -> None:
    assert kind.features(written).get("generation") == generation


def test_names_that_sound_alike_share_their_sound() -> None:
    assert FAMILY_NAME.features("Smith")["sound"] == FAMILY_NAME.features("Smyth")["sound"]
    assert GIVEN_NAME.features("Catherine")["sound"] == GIVEN_NAME.features("Katherine")["sound"]


@pytest.mark.parametrize(
    ("short", "long"), [("Bill", "William"), ("Wm.", "William"), ("Liz", "Elizabeth"), ("Bob", "Robert Lee"), ("Peggy", "Margaret")]
)
def test_a_nickname_meets_its_name(short, long) -> None:
    assert set(GIVEN_NAME.features(short)["nicknames"]) & set(GIVEN_NAME.features(long)["nicknames"])


def test_unrelated_names_share_no_nickname() -> None:
    assert not set(GIVEN_NAME.features("Ahmed")["nicknames"]) & set(GIVEN_NAME.features("William")["nicknames"])


def test_a_middle_name_has_an_initial() -> None:
    assert MIDDLE_NAME.features("Ann") == {"": "ann", "initial": "a"}


@pytest.mark.parametrize(
    ("raw", "normal"),
    [("Jr.", "JR"), ("junior", "JR"), ("SR", "SR"), ("2nd", "II"), ("iii", "III"), ("4th", "IV"), ("V", "V"), ("MD", None)],
)
def test_generation_suffixes(raw, normal) -> None:
    assert NAME_SUFFIX.read(raw).value == normal


def test_both_orders_of_a_full_name_are_the_same() -> None:
    expected = {"": "ana m rivera", "tokens": ("ana", "m", "rivera"), "given": "ana", "family": "rivera"}
    assert FULL_NAME.features("Rivera, Ana M") == FULL_NAME.features("Ana M. Rivera") == expected
    assert FULL_NAME.features("Dr Ana M Rivera Jr") == {**expected, "generation": "jr"}


@pytest.mark.parametrize(
    ("written", "given", "family"),
    [
        ("Rivera Jr, Ana", "ana", "rivera"),
        ("Ana Rivera, Jr", "ana", "rivera"),
        ("Sir William Dawes, 3rd Baronet", "william", "dawes"),
        ("Van Dyke, Anna", "anna", "van dyke"),
        ("Ana Baron", "ana", "baron"),
        ("Dr. Smith", None, "smith"),
        ("Ii, Naosuke", "naosuke", "ii"),
        ("Junior Garcia", "junior", "garcia"),
        ("Garcia, Junior", "junior", "garcia"),
        ("Garcia, Dr. Ana", "ana", "garcia"),
    ],
)
def test_a_full_name_is_read_as_its_parts(written, given, family) -> None:
    features = FULL_NAME.features(written)
    assert (features.get("given"), features["family"]) == (given, family)


def test_a_name_without_any_letter_is_not_understood() -> None:
    assert FAMILY_NAME.read("--- 12").value is None


@pytest.mark.parametrize("kind", [GIVEN_NAME, FAMILY_NAME], ids=lambda kind: kind.name)
def test_a_name_of_another_script_is_compared_by_its_letters_alone(kind) -> None:
    assert kind.read("明美").is_evidence
    assert kind.features("明美") == {"script": "u0660e07f8e"}
    assert kind.features("محمد") == kind.features(" محمد ") != kind.features("أحمد")
    assert kind.features("ﻣﺤﻤﺪ") == kind.features("محمد")  # as older systems store it
    assert kind.features("דוד־לוי") == kind.features("דוד לוי")


def test_what_has_latin_letters_or_a_latin_spelling_is_compared_by_them() -> None:
    for written in ("Мария", "Ελένη", "Ａｎａ", "明美 (Akemi)"):
        assert "script" not in GIVEN_NAME.features(written)


@given(st.text(st.characters(categories=["Lo"]), min_size=1, max_size=6), st.text(st.characters(categories=["Lo"]), min_size=1, max_size=6))
def test_two_names_share_no_code(one, other) -> None:
    codes = [GIVEN_NAME.features(name).get("script") for name in (one, other)]
    if None not in codes:
        same = normalize("NFKC", one).casefold().split() == normalize("NFKC", other).casefold().split()
        assert (codes[0] == codes[1]) is same or any(not c.isalpha() for c in normalize("NFKC", one + other))
        assert all(code.isascii() for code in codes)
