"""The acquired hospital of the demo world, loaded from files: the same golden records as if its systems had delivered online."""

import csv
import io
import os

import pytest

from mdm.invariants import violations
from mdm.load_targets import Binding
from seed.load import _register, deliver_world
from seed.world import build_world
from tests.loads.conftest import as_columns, partition, state

MERCY = ("ehr-mercy", "erp-mercy")
DOMAINS = os.environ.get("CONCORD_LOAD_DOMAINS", "patient provider").split()
RAILS = ("key_not_unique", "many_rejects", "many_rows_to_one", "identifier_shared", "volume_off")
SPLIT = "|"


@pytest.fixture(scope="module")
def world():
    return build_world(patients=60)


def file_of(deliveries):
    """The columns of an export, what each becomes, the steps that take cells with several values apart, and the rows."""
    columns = {"key": lambda d: d.key, "status": lambda d: d.status}
    columns |= {name: lambda d, n=name: str(getattr(d, n) or "") for name in ("valid_from", "valid_to")}
    for name in sorted({name for d in deliveries for name in d.attributes}):
        columns[name] = lambda d, n=name: _text(d.attributes.get(n, ""))
    for system in sorted({system for d in deliveries for system, _ in d.identifiers}):
        columns[f"identifier:{system}"] = lambda d, s=system: SPLIT.join(value for code, value in d.identifiers if code == s)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for delivery in deliveries:
        writer.writerow([value(delivery) for value in columns.values()])
    mapping = as_columns(tuple(Binding(name, name) for name in columns))
    many = [name for name in columns if any(SPLIT in value(d) for d in deliveries for value in [columns[name]])]
    return text.getvalue().encode(), mapping, [{"kind": "split", "column": name, "separator": SPLIT} for name in many]


def _text(value):
    return value if isinstance(value, str) else SPLIT.join(value)


@pytest.mark.parametrize("domain", DOMAINS)
def test_files_of_mercy_give_what_deliveries_give(clean_database, loader, world, domain):
    _register(clean_database, world.systems)
    mine = [d for d in world.deliveries if d.domain == domain]
    deliver_world(clean_database, [d for d in mine if d.system not in MERCY], lambda _: None)
    before, views = state(clean_database), []
    for system in MERCY:
        rows = [d for d in mine if d.system == system]
        if rows:
            content, mapping, steps = file_of(rows)
            planned = loader.plan(content, domain=domain, system=system, columns=mapping, steps=steps)
            assert planned.counts["rejected"] == 0
            views.append(loader.apply(planned, despite=RAILS))
            assert {**planned.counts, "waiting": 0} == views[-1].applied
    loaded = partition(clean_database, domain)
    assert clean_database.run(lambda session: violations(session, deep=True)) == []
    for view in reversed(views):
        loader.undo(view)
    assert state(clean_database) == before
    deliver_world(clean_database, [d for d in mine if d.system in MERCY], lambda _: None)
    assert partition(clean_database, domain) == loaded
