"""Words of names that have an opposite."""

import pytest

from mdm.values.department_name import DEPARTMENT_NAME
from mdm.values.organisation_name import FACILITY_NAME, ORGANISATION_NAME


@pytest.mark.parametrize("kind", [DEPARTMENT_NAME, FACILITY_NAME, ORGANISATION_NAME], ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    ("name", "column", "side"),
    [
        ("Northside Imaging", "north_south", "north"),
        ("Southern Imaging", "north_south", "south"),
        ("Northwestern Imaging", "east_west", "west"),
        ("Imaging East", "east_west", "east"),
        ("Upper Valley Imaging", "sides", "upper"),
        ("Left Bank Imaging", "sides", "left"),
    ],
)
def test_a_side_is_read_wherever_it_stands(kind, name, column, side) -> None:
    assert kind.features(name)[column] == (side,)


@pytest.mark.parametrize("name", ["Weston Imaging", "Northrop Imaging", "Easter Imaging", "Side End Imaging"])
def test_what_only_begins_like_one_is_none(name) -> None:
    assert {"north_south", "east_west", "sides"}.isdisjoint(ORGANISATION_NAME.features(name))


def test_ordinals_are_opposed() -> None:
    assert ORGANISATION_NAME.features("First Medical")["sides"] == ORGANISATION_NAME.features("1st Medical")["sides"] == ("1",)
    assert ORGANISATION_NAME.features("Second Medical")["sides"] == ("2",)
