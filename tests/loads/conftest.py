"""Files as a hospital sends them, loaded by jobs done in this process; and the state of a database in one text."""

import csv
import io
from hashlib import sha256

import pytest

from mdm import loads
from mdm.access import SYSTEM_ACTOR
from mdm.db import fetch
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.load_jobs import load_handlers
from mdm.load_targets import read_columns
from mdm.load_upload import Upload, upload
from mdm.running import Hand
from tests.bench.people import delivered, known

SSN = "identifier:us-ssn=ssn"
CHANGED = ("new", "linked", "review", "updated")


def as_csv(deliveries):
    """Patients as one system exports them."""
    names = sorted({name for row in deliveries for name in row.attributes})
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["key", *names, "ssn"])
    for row in deliveries:
        writer.writerow([row.key, *(row.attributes.get(name, "") for name in names), dict(row.identifiers).get("us-ssn", "")])
    return text.getvalue().encode()


def as_columns(bindings):
    """Bindings as a person would type them on a command line."""
    return ",".join(_quoted(f"{each.target}={each.column}") for each in bindings)


def _quoted(pair):
    return '"' + pair.replace('"', '""') + '"' if any(c in pair for c in ',"') or pair != pair.strip() else pair


class Loader:
    """What an acquisition team does, with the jobs done at once."""

    def __init__(self, database, home):
        self.database, self.home = database, home
        self.hand = Hand(database, "loader", lambda: False, load_handlers(home, 1))

    def upload(self, content, *, name="people.csv", domain="patient", system="ehr-mercy", columns=SSN, actor=SYSTEM_ACTOR, steps=None):
        given = Upload(ENTITY_TYPES[domain], system, io.BytesIO(content), name, read_columns(columns) if columns else (), steps)
        return upload(self.database, self.home, actor, given, "test")

    def plan(self, content, **how):
        return self.plan_again(self.upload(content, **how).id)

    def plan_again(self, load_id):
        view = self.database.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, load_id, "test"))
        return self.done(view)

    def apply(self, view, *, wave=None, despite=(), actor=SYSTEM_ACTOR, approval_rows=1_000_000):
        how = loads.Applying(approval_rows, wave, despite, "test")
        return self.done(self.database.run(lambda session: loads.ask_apply(session, actor, view.plan_id, how, "test")))

    def undo(self, view, *, actor=SYSTEM_ACTOR, approval_rows=1_000_000):
        how = loads.Undoing(approval_rows, "test")
        return self.done(self.database.run(lambda session: loads.ask_undo(session, actor, view.id, how, "test")))

    def done(self, view):
        if view.job_id is not None:
            self.hand.take(view.job_id)
        return self.database.run(lambda session: loads.get(session, SYSTEM_ACTOR, view.id))

    def load(self, content, **how):
        return self.apply(self.plan(content, **how))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Files and stores are small here: what is read piece by piece takes several of them."""
    monkeypatch.setattr("mdm.load_newcomers.PIECE_SCANNED", 30)
    monkeypatch.setattr("mdm.load_near._ROWS", 20)
    monkeypatch.setattr("mdm.load_near._RECORDS", 30)
    monkeypatch.setattr("mdm.load_former._PIECE_ROWS", 30)
    monkeypatch.setattr("mdm.load_undo._ROWS_READ", 30)
    monkeypatch.setattr("mdm.load_undo._GOLDENS_READ", 30)


@pytest.fixture
def loader(clean_database, tmp_path):
    return Loader(clean_database, tmp_path)


@pytest.fixture
def people(clean_database):
    """Two hundred people of the north, as ehr-north delivered them."""
    deliver(clean_database, [delivered(number) for number in range(200)])
    return clean_database


def deliver(database, rows, domain="patient"):
    return deliver_all(database, ENTITY_TYPES[domain], SYSTEM_ACTOR, rows, "test")


def mercy(new=range(1_000, 1_060), again=range(40)):
    """People that only Mercy knows, and people of the north as Mercy knows them."""
    return [*(delivered(number) for number in new), *(known(number) for number in again)]


def rows(database, statement, params=None):
    return database.run(lambda session: fetch(session, statement, params))


_VALUES = (
    "select g.id, v.values, v.provenance from golden_record g join golden_version v on v.golden_id = g.id and v.recorded_to is null"
    " where g.status = 'active' order by 1"
)
_XREF = (
    "select domain, system_id, value, golden_id, status, own, exclusive, pending, valid_from, valid_to from xref where recorded_to is null"
    " order by 1, 2, 3, 4"
)
_STATE = (
    "select domain, system, key, status, hash, clean, columns from source_record where status = 'active' order by 1, 2, 3",
    _VALUES,
    "select record_id, golden_id from link where recorded_to is null order by 1",
    _XREF,
    "select kind, dedupe_key, status, goldens, records, detail from task where status = 'open' order by 1, 2",
    "select low, high, weight, verdict from edge order by 1, 2",
    "select key, record_id from match_key order by 1, 2",
    "select domain, system, value, kind, target, status from miss order by 1, 2, 3, 4, 5",
)


def state(database):
    """Everything that anybody could be told now, as one hash; history and work rows do not count."""
    return sha256(repr([rows(database, statement) for statement in _STATE]).encode()).hexdigest()


def partition(database, domain="patient"):
    """Who shares a golden record, by system and key."""
    found = {}
    for system, key, golden in rows(
        database,
        "select r.system, r.key, l.golden_id from source_record r join link l on l.record_id = r.id and l.recorded_to is null"
        " where r.domain = %s and r.status = 'active'",
        (domain,),
    ):
        found.setdefault(golden, set()).add((system, key))
    return {frozenset(group) for group in found.values()}
