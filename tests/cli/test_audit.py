"""`mdm audit verify` names whatever happened to the audit after it was sealed, whoever did it."""

import json

import pytest

from mdm import audit, seal
from mdm.access import SYSTEM_ACTOR
from mdm.audit_check import verify
from mdm.db import execute, fetch
from mdm.embedded.process import wait_until

KEY = b"not in the database"
SHUT = "alter table {0} disable trigger all; {1}; alter table {0} enable trigger all"


def act(database, *subjects):
    for subject in subjects:
        database.run(lambda session, s=subject: audit.record(session, SYSTEM_ACTOR, f"test:{s}"))


@pytest.fixture
def sealed(damaged):
    """An audit with two seals of three rows and more."""
    for names in ("abc", "def"):
        act(damaged, *names)
        # What another test of the same server has open may be older: sealing waits for that
        assert wait_until(lambda: damaged.run(lambda session: seal.seal(session, KEY)) is not None, 30)
    return damaged


def outside(database):
    return database.run(lambda session: [(row[0], row[1]) for row in fetch(session, "select batch, head from audit_seal order by batch")])


def problems(database, heads=()):
    return verify(database, KEY, heads).problems


def as_owner(database, table, statement):
    with database.engine.begin() as connection:
        connection.exec_driver_sql(SHUT.format(table, statement))


def test_what_nobody_touched_is_as_it_was_sealed(sealed):
    verdict = verify(sealed, KEY, outside(sealed))
    assert (verdict.problems, verdict.batches, verdict.unsealed) == ([], 2, 0)
    assert verdict.rows == sealed.run(lambda session: fetch(session, "select count(*) from audit"))[0][0]


FORGED = (
    "insert into audit (n, xid, principal, action, request_id, outcome) overriding system value"
    " select -n, xid, principal, 'test:forged', request_id, outcome from audit where action = 'test:e'"
)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update audit set principal = 'nobody' where action = 'test:e'", "was changed"),
        ("delete from audit where action = 'test:e'", "a row was removed before row"),
        ("delete from audit where action = 'test:f'", "a row was removed after row"),
        (FORGED, "was added"),
        ("update audit set xid = (select xid from audit where action = 'test:f') where action = 'test:d'", ""),
    ],
    ids=["changed", "removed", "last removed", "added", "another order"],
)
def test_rows_that_are_not_what_they_were_are_named(sealed, statement, said):
    as_owner(sealed, "audit", statement)
    found = problems(sealed)
    assert len(found) == 1
    assert said in found[0]
    assert found[0].startswith("seal 2")


def test_the_end_cut_off_shows_in_the_heads_outside(sealed):
    heads = outside(sealed)
    as_owner(sealed, "audit_seal", "delete from audit_seal where batch = 2")
    as_owner(sealed, "audit", "delete from audit where action in ('test:d', 'test:e', 'test:f')")
    assert problems(sealed) == []
    assert problems(sealed, heads) == ["seal 2 was noted outside and is not there: the end was cut off, or an older backup restored"]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update audit_seal set rows = 9 where batch = 1", "seal 1 was changed"),
        ("update audit_seal set signature = head where batch = 1", "seal 1 was not signed with this installation's key"),
        ("delete from audit_seal where batch = 1", "seal 1 is missing"),
    ],
)
def test_a_seal_that_was_replaced_is_named(sealed, statement, said):
    as_owner(sealed, "audit_seal", statement)
    assert said in problems(sealed)


def test_a_seal_made_anew_over_changed_rows_needs_the_key(sealed):
    heads = outside(sealed)
    as_owner(sealed, "audit_seal", "delete from audit_seal")
    as_owner(sealed, "audit", "update audit set principal = 'nobody' where action = 'test:b'")
    sealed.run(lambda session: seal.seal(session, b"a guess"))
    assert "seal 1 was not signed with this installation's key" in problems(sealed)
    assert "seal 1 is not the one that was noted outside" in problems(sealed, heads)


def test_what_is_still_being_written_is_sealed_later_and_never_lost(sealed):
    with sealed.unit_of_work() as slow:
        execute(slow, "insert into audit (principal, action, request_id, outcome) values ('a', 'test:slow', '', 'done')")
        act(sealed, "quick")
        assert sealed.run(lambda session: seal.seal(session, KEY)) is None  # begun later, finished earlier
    assert sealed.run(lambda session: seal.seal(session, KEY)).rows == 2
    assert problems(sealed) == []


def test_a_transaction_is_never_sealed_in_parts(sealed, monkeypatch):
    monkeypatch.setattr(seal, "BATCH_MAX", 2)
    sealed.run(lambda session: [audit.record(session, SYSTEM_ACTOR, f"test:{n}") for n in range(5)])
    act(sealed, "x", "y", "z")
    sizes = []
    while (made := sealed.run(lambda session: seal.seal(session, KEY))) is not None:
        sizes.append(made.rows)
    assert sizes == [5, 2, 1]
    assert problems(sealed) == []


def test_another_server_counts_anew_after_a_restore(sealed):
    act(sealed, "late")
    sealed.run(lambda session: seal.break_off(session, KEY))
    act(sealed, "after")
    # as on a server that is younger than the one the backup was made on
    as_owner(sealed, "audit", "update audit set xid = 5 where action = 'test:after'")
    assert sealed.run(lambda session: seal.seal(session, KEY)).rows == 1
    assert problems(sealed, outside(sealed)) == []
    as_owner(sealed, "audit", "delete from audit where action = 'test:late'")
    assert len(problems(sealed)) == 1


def test_the_command_says_it_and_its_status_too(mdm, damaged):
    variables = {"MDM_DATABASE_URL": damaged.url}
    assert mdm("worker", "--once", **variables).status == 0
    told = json.loads(mdm("audit", "verify", "--json", **variables).out)
    assert (told["ok"], told["problems"], told["outside"]) == (True, [], told["batches"])
    as_owner(damaged, "audit", "update audit set principal = 'nobody' where n = (select min(n) from audit)")
    said = mdm("audit", "verify", **variables)
    assert (said.status, "was changed" in said.out) == (1, True)


def test_heads_are_noted_once_and_after_a_line_that_was_cut_off(sealed, tmp_path):
    def note():
        sealed.run(lambda session: seal.note_heads(session, tmp_path))
        return seal.read_heads(tmp_path / seal.HEADS)

    assert note() == note() == outside(sealed)
    with (tmp_path / seal.HEADS).open("a") as file:
        file.write('{"batch": 3, "he')
    act(sealed, "g")
    sealed.run(lambda session: seal.seal(session, KEY))
    assert note() == note() == outside(sealed)
