"""A name in one field becomes the columns that its parts would have made."""

import pytest

from matching.compare import Value
from mdm.entities._names import RESIDUAL, names_in_one_field
from mdm.values.person_name import FAMILY_NAME, FULL_NAME, GIVEN_NAME


def read(full: str, given: str = "", family: str = "") -> dict[str, Value]:
    """The columns of a record after derivation."""
    kinds = {"full_name": (FULL_NAME, full), "given_name": (GIVEN_NAME, given), "family_name": (FAMILY_NAME, family)}
    columns = {
        f"{name}.{feature}".rstrip("."): value
        for name, (kind, text) in kinds.items()
        if text
        for feature, value in kind.features(text).items()
    }
    return {name: value for name, value in {**columns, **names_in_one_field(columns)}.items() if value}


@pytest.mark.parametrize(
    ("written", "given", "family", "left"),
    [
        (("Rivera, Ana Maria",), "ana", "rivera", ("maria",)),
        (("Rivera",), None, "rivera", None),
        (("Rivera", "Rivera"), None, "rivera", None),
        (("Sir William Dawes", "Sir"), "william", "dawes", None),
        (("Ana Lopez Rivera", "Ana", "Lopez"), "ana", "lopez", ("rivera",)),
        (("Thomas of Chudleigh", "Tom", "Chudleigh"), "tom", "chudleigh", ("thomas",)),
    ],
)
def test_parts_come_from_the_full_name_where_their_fields_do_not_tell_them(
    written: tuple[str, ...], given: str | None, family: str, left: tuple[str, ...] | None
) -> None:
    columns = read(*written)
    assert (columns.get("given_name"), columns.get("family_name"), columns.get(RESIDUAL)) == (given, family, left)


def test_derived_parts_have_the_columns_of_their_kind() -> None:
    assert set(read("Ana Rivera")) >= {"given_name.sound", "given_name.nicknames", "family_name.sound", "family_name.words"}


def test_a_record_without_a_full_name_stays_as_it_is() -> None:
    assert names_in_one_field({"given_name": "ana"}) == {}
