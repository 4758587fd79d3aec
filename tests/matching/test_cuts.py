"""Where the machine links by itself: as precise as was stated, by the model's own weights or by what people decided."""

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.cuts import PRECISION, cut_decided, cut_expected
from matching.pipeline import SMALLEST_SET, find_duplicates, linking_from
from mdm.entities import ENTITY_TYPES
from mdm.files import Table
from mdm.labelled import read_records

PATIENT = ENTITY_TYPES["patient"]


def expected(weights, cut):
    kept = weights[weights >= cut]
    return float((1 / (1 + np.exp2(-kept))).mean()) if len(kept) else 1.0


@given(st.lists(st.integers(-40, 240).map(lambda n: n / 16), max_size=60), st.sampled_from([0.9, 0.99, 0.999]))
def test_the_cut_is_the_lowest_that_is_precise_enough(weights, precision):
    given_ones = np.array(weights, dtype=np.float64)
    cut = cut_expected(given_ones, 0.0, precision)
    assert cut >= 0.0
    assert expected(given_ones, cut) >= precision - 1e-12
    assert all(expected(given_ones, lower) < precision for lower in set(weights) if 0.0 <= lower < cut and (given_ones >= cut).any())


def test_where_no_pair_is_sure_enough_nothing_links_on_the_average():
    assert cut_expected(np.array([0.5, 1.0]), 0.0) == pytest.approx(np.log2(PRECISION / (1 - PRECISION)))


def test_even_odds_are_a_cut_too():
    assert cut_expected(np.array([0.0, *[20.0] * 999]), 0.0) == 0.0


@pytest.mark.parametrize("domain", ENTITY_TYPES)
def test_every_model_can_link_from_even_odds_on(domain):
    model = linking_from(ENTITY_TYPES[domain].model, 0.0)
    assert model.thresholds.review < model.thresholds.link == 0.0


def test_people_decide_where_they_decided_enough():
    weights, same = np.arange(3_000) / 100, np.arange(3_000) >= 700
    cut = cut_decided(weights, same, 0.0)
    assert cut is not None
    assert np.mean(same[weights >= cut]) >= PRECISION > np.mean(same[weights >= cut - 0.5])
    assert cut_decided(weights[:900], same[:900], 0.0) is None


def namesakes(persons):
    """Everybody once, every tenth person twice, a third of these with another month or day; few names, which tell the sex."""
    random = Random(11)
    given_names = [
        f"{first}{last}" for first in ("Al", "Ber", "Cor", "Dan", "El", "Fab") for last in ("an", "ina", "on", "ette", "win", "ara")
    ]
    firsts, lasts = (
        ("Bal", "Cor", "Dun", "Far", "Gan", "Hol", "Kel", "Lam", "Mon", "Nor"),
        ("berg", "man", "sen", "ton", "well", "by", "er"),
    )
    families = [f"{first}{middle}{last}" for first in firsts for middle in ("", "a", "i", "der") for last in lasts]
    rows = []
    for person in range(persons):
        name, family = random.choice(given_names), random.choices(families, [1 / (place + 3) for place in range(len(families))])[0]
        year, month, day = random.randint(1930, 2015), random.randint(1, 12), random.randint(1, 28)
        sex = "F" if name.endswith(("ina", "ette", "ara")) else "M"
        rows.append((name, family, f"{year}-{month:02}-{day:02}", sex, str(person)))
        if person % 10 == 0:
            other = random.randint(1, 12) if random.random() < 0.3 else month
            rows.append((name, family, f"{year}-{other:02}-{day:02}", sex, str(person)))
    return rows


def patients(rows):
    table = Table("namesakes", ("given_name", "family_name", "birth_date", "sex"), tuple(row[:4] for row in rows))
    names = {name: name for name in table.header}
    return {str(place): record for place, record in enumerate(read_records(PATIENT, table, names, Counter()))}


def test_namesakes_do_not_become_matches_whose_birth_dates_differ():
    rows = namesakes(3_000)
    found = find_duplicates(PATIENT.model, patients(rows))
    assert found.diagnostics is not None
    assert found.diagnostics.refused is None
    assert found.diagnostics.estimated_matches == pytest.approx(300, rel=0.3)
    wrong = sum(rows[int(left)][-1] != rows[int(right)][-1] for left, right in found.links)
    assert wrong <= len(found.links) / 100
    assert len(found.links) > 100


def test_few_records_are_matched_by_the_model_as_it_was_declared():
    rows = namesakes(4)
    assert len(rows) < SMALLEST_SET
    found = find_duplicates(PATIENT.model, patients(rows))
    assert found.model == PATIENT.model
    assert found.diagnostics is not None
    assert "too few" in (found.diagnostics.refused or "")
    assert found.links == [("0", "1")]
