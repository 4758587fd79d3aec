"""Names alone: which words decide, and how far two names agree."""

import pytest

from matching.compare import word_agreement
from matching.frequency import Frequency
from matching.names import same_organisation, same_person

COUNTED = Frequency(1023, {"medical": 256, "center": 256, "supplies": 128, "north": 64})


def agreement(left: str, right: str) -> float:
    forth = word_agreement(left.split(), right.split(), COUNTED.rarity)
    assert forth == word_agreement(right.split(), left.split(), COUNTED.rarity)
    return forth


@pytest.mark.parametrize(
    ("left", "right", "level"),
    [
        ("larkspur medical", "medical larkspur", 6),
        ("larkspur medical supplies", "larkspur medical", 5),
        ("larkspur", "larkspur pinnacle", 4),
        ("medical center", "medical center larkspur", 3),
        ("larkspur pinnacle harbor", "larkspur pinnacle willow", 2),
        ("larkspur pinnacle harbor", "larkspur willow birch", 1),
        ("larkspur medical", "pinnacle medical", 0),
    ],
)
def test_names_agree_by_their_rare_words(left: str, right: str, level: int) -> None:
    assert agreement(left, right) == level


def test_a_slip_is_as_common_as_the_word_it_stands_for() -> None:
    assert agreement("larkspur medicla", "larkspur medical") == 5


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("goldman sachs", "sachs goldman"),
        ("cosco wholesale", "costco wholesale"),
        ("face book", "facebook"),
    ],
)
def test_one_organisation(left: str, right: str) -> None:
    assert same_organisation(left.split(), right.split())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("management 23", "management"),
        ("larkspur medical east", "larkspur medical west"),
        ("larkspur", "pinnacle"),
        ("", "pinnacle"),
    ],
)
def test_two_organisations(left: str, right: str) -> None:
    assert not same_organisation(left.split(), right.split())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("mara hidalgo", "hidalgo mara"),
        ("j c juncker", "jean claude juncker"),
        ("ali a velayati", "ali akbar velayati"),
        ("michaela kowalski", "michaela anna kowalski"),
        ("mohammad hasni", "mohammadhasni"),
    ],
)
def test_one_person(left: str, right: str) -> None:
    assert same_person(left.split(), right.split())
    assert same_person(right.split(), left.split())


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("michaela", "michaela anna kowalski"),
        ("frederick north", "octavian north"),
        ("mara ines hidalgo", "mara luz hidalgo"),
        ("", "mara"),
        ("", ""),
    ],
)
def test_two_persons(left: str, right: str) -> None:
    assert not same_person(left.split(), right.split())
