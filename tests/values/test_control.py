"""The p-chart: what is usual comes from the days before, few deliveries bound little, and nothing is said where too little is known."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mdm.control import BASELINE_DAYS, BASELINE_MIN, Count, Point, p_chart

FIRST = date(2026, 1, 1)
COUNTS = st.integers(0, 500).flatmap(lambda deliveries: st.tuples(st.integers(0, deliveries), st.just(deliveries)))


def chart(*counts: tuple[int, int], every: int = 1) -> list[Point]:
    """Points of days one after the other, each (filled, deliveries)."""
    return p_chart([Count(FIRST + timedelta(days=place * every), *each) for place, each in enumerate(counts)])


@given(st.integers(0, 50), st.integers(1, 50), st.lists(st.integers(1, 40), min_size=8, max_size=60))
def test_a_constant_feed_is_never_outside(filled: int, more: int, times: list[int]) -> None:
    points = chart(*((filled * n, (filled + more) * n) for n in times))
    assert [point.day for point in points if point.is_outside] == []
    assert all(point.limits is not None for point in points[BASELINE_MIN:])


@given(st.lists(COUNTS, max_size=50))
def test_limits_lie_within_nought_and_one_around_what_was_usual(counts: list[tuple[int, int]]) -> None:
    for point in chart(*counts):
        assert 0 <= point.share <= 1
        if point.limits is not None:
            assert 0 <= point.limits[0] <= point.limits[1] <= 1
            assert point.is_outside == (not point.limits[0] <= point.share <= point.limits[1])


@given(st.lists(COUNTS, max_size=30), st.integers(0, 29))
def test_the_future_changes_nothing(counts: list[tuple[int, int]], until: int) -> None:
    known = chart(*counts[:until])
    assert chart(*counts)[: len(known)] == known


def test_a_field_that_stops_being_filled_is_found_that_day() -> None:
    points = chart(*[(95, 100)] * 10, (40, 100))
    assert [point.is_outside for point in points] == [False] * 10 + [True]
    assert points[-1].beyond == pytest.approx(0.95 - 3 * (0.95 * 0.05 / 100) ** 0.5 - 0.4)


def test_one_that_was_never_filled_and_now_is_lies_outside_too() -> None:
    assert chart(*[(0, 100)] * 7, (1, 100))[-1].is_outside


@pytest.mark.parametrize(("deliveries", "low", "high"), [(1, 0.0, 1.0), (4, 0.2, 1.0), (100, 0.68, 0.92), (10_000, 0.788, 0.812)])
def test_few_deliveries_have_wide_limits(deliveries: int, low: float, high: float) -> None:
    assert chart(*[(80, 100)] * 7, (0, deliveries))[-1].limits == pytest.approx((low, high))


def test_a_day_without_deliveries_has_no_point_and_does_not_count_as_one_before() -> None:
    points = chart(*[(8, 10)] * 6, (0, 0), (8, 10), (8, 10))
    assert len(points) == 8
    assert [point.limits is not None for point in points] == [False] * 7 + [True]


def test_fewer_than_seven_days_before_bound_nothing() -> None:
    points = chart(*[(10, 10)] * 6, (0, 10))
    assert [point.limits for point in points] == [None] * 7
    assert not points[-1].is_outside


def test_what_is_older_than_four_weeks_is_forgotten() -> None:
    points = chart(*[(0, 10)] * BASELINE_DAYS, *[(10, 10)] * (BASELINE_DAYS + 1))
    assert points[BASELINE_DAYS].limits == (0.0, 0.0)
    assert points[-1].limits == (1.0, 1.0)
    assert chart(*[(1, 10)] * 9, every=7)[-1].limits is None


def test_of_nothing_there_is_nothing() -> None:
    assert p_chart([]) == []
