"""`mdm feed new-epoch` asks first, and changes the epoch alone."""

from mdm.cli import main
from mdm.db import fetch


def position(database):
    return database.run(lambda session: fetch(session, "select epoch, last_seq from feed_position"))[0]


def test_a_new_epoch_goes_on_with_the_numbers(clean_database, monkeypatch, capsys):
    monkeypatch.setenv("MDM_DATABASE_URL", clean_database.url)
    before = position(clean_database)
    assert main(["feed", "new-epoch"]) == 2
    assert position(clean_database) == before
    assert main(["feed", "new-epoch", "--yes"]) == 0
    after = position(clean_database)
    assert capsys.readouterr().out.strip() == str(after[0])
    assert (after[0] != before[0], after[1]) == (True, before[1])
    [row] = clean_database.run(lambda session: fetch(session, "select detail ->> 'epoch' from audit where action = 'feed:new_epoch'"))
    assert row[0] == str(after[0])
