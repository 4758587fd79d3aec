"""The file of a system comes again: what the last load had just so is known by its print, everything else is looked at as ever."""

from dataclasses import replace

import pytest

from mdm.load_steps import Step
from mdm.load_values import Converter
from tests.loads.conftest import as_csv, deliver, mercy, rows


@pytest.fixture
def converted(monkeypatch):
    """How many rows were converted."""
    made, convert = [], Converter.deliver_sound
    monkeypatch.setattr(Converter, "deliver_sound", lambda converter, row: made.append(row) or convert(converter, row))
    return made


def changed(delivery, **values):
    return replace(delivery, attributes={**delivery.attributes, **values})


def counted(view):
    return {name: count for name, count in view.counts.items() if count}


def test_only_changed_rows_are_converted_in_whatever_order_they_come(people, loader, converted):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    del converted[:]
    again = [changed(deliveries[0], phone="617-555-0199"), *reversed(deliveries[2:])]
    view = loader.plan(as_csv(again))
    assert counted(view) == {"updated": 1, "unchanged": 98, "absent": 1}
    assert len(converted) == 1
    assert loader.apply(view).applied["unchanged"] == 98
    assert rows(people, "select count(*) from load_row where print is null") == [(0,)]


def test_what_a_load_left_alone_is_known_in_the_third_file_too(people, loader, converted):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    loader.load(as_csv([changed(deliveries[0], phone="617-555-0199"), *deliveries[1:]]))
    del converted[:]
    view = loader.plan(as_csv([changed(deliveries[0], phone="617-555-0199"), changed(deliveries[1], city="Salem"), *deliveries[2:]]))
    assert counted(view) == {"updated": 1, "unchanged": 99}
    assert len(converted) == 1


def test_what_its_system_said_since_is_said_again_by_the_file(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    deliver(people, [changed(replace(deliveries[0], system="ehr-mercy"), phone="617-555-0142")])
    view = loader.plan(as_csv(deliveries[:-1]))
    assert counted(view) == {"updated": 1, "unchanged": 98, "absent": 1}


def test_another_row_with_the_key_is_refused_beside_one_that_is_known(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    view = loader.plan(as_csv([*deliveries, changed(deliveries[0], city="Salem")]))
    assert counted(view) == {"rejected": 1, "unchanged": 100}
    first = loader.plan(as_csv([changed(deliveries[0], city="Salem"), *deliveries]))
    assert counted(first) == {"rejected": 1, "updated": 1, "unchanged": 99}


def test_read_in_another_way_the_same_cells_are_other_rows(people, loader, converted):
    content = as_csv(mercy())
    loader.load(content)
    del converted[:]
    view = loader.plan(content, steps=[Step("trim", "city").as_json()])
    assert counted(view) == {"unchanged": 100}
    assert len(converted) == 100


def test_rows_of_a_load_that_was_undone_are_not_known(people, loader, converted):
    deliveries = mercy()
    loader.undo(loader.load(as_csv(deliveries)))
    del converted[:]
    view = loader.plan(as_csv(list(reversed(deliveries))))
    assert view.counts["unchanged"] == 0
    assert len(converted) == 100
