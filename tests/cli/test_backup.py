"""A backup brought back is what was there, in a new epoch; what is damaged, or would overwrite, is refused and changes nothing."""

import json
from hashlib import sha256

import pytest

from mdm.db import fetch
from mdm.doctor import examine
from mdm.settings import Settings
from tests.mdm.test_undo import picture


@pytest.fixture
def backup(mdm, tmp_path, tmp_path_factory):
    """A folder with a backup of the sound database, and of its files."""
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "suppliers.csv").write_text("name\nAldermoor\n")
    (tmp_path / "web.log").write_text("said")
    place = tmp_path_factory.mktemp("kept") / "monday"
    said = mdm("backup", str(place))
    assert said.status == 0, said.err
    return place


@pytest.fixture
def into(mdm, new_database, tmp_path):
    """into(folder) -> what `mdm restore` said; into an empty database and a home of its own."""
    empty, home = new_database(), tmp_path / "new"

    def restore(folder):
        return mdm("restore", str(folder), "--json", MDM_DATABASE_URL=empty.url, MDM_HOME=str(home))

    restore.database, restore.home = empty, home
    return restore


def asked(database, statement):
    with database.unit_of_work() as session:
        return fetch(session, statement)


def tables(database):
    return asked(database, "select count(*) from pg_tables where schemaname = 'public'")[0][0]


@pytest.mark.usefixtures("durable")
def test_what_comes_back_is_what_was_there(sound, backup, into, tmp_path):
    said = into(backup)
    assert said.status == 0, said.err
    assert json.loads(said.out)["rows"] > 20
    assert picture(into.database) == picture(sound)
    assert (into.home / "secret").read_text() == (tmp_path / "secret").read_text()
    assert (into.home / "uploads" / "suppliers.csv").read_text() == "name\nAldermoor\n"
    assert not (into.home / "web.log").exists()
    settings = Settings.from_env({"MDM_HOME": str(into.home), "MDM_DATABASE_URL": into.database.url, "MDM_BROKER_URL": "none"})
    assert [finding.check for finding in examine(settings, deep=True, recompute=True) if not finding.ok] == []


def test_a_restore_begins_a_new_epoch_and_says_so_in_the_audit(sound, backup, into):
    into(backup)
    epoch = "select epoch from feed_position"
    assert asked(into.database, epoch) != asked(sound, epoch)
    acts = [row[0] for row in asked(into.database, "select action from audit order by n desc limit 2")]
    assert acts == ["feed:new_epoch", "backup:restore"]


def test_nobody_else_can_read_a_backup(backup):
    assert {path.stat().st_mode & 0o077 for path in (backup, *backup.rglob("*"))} == {0}


def test_a_backup_never_overwrites(mdm, backup):
    before = (backup / "manifest.json").read_bytes()
    said = mdm("backup", str(backup))
    assert (said.status, "exists already" in said.err) == (2, True)
    assert (backup / "manifest.json").read_bytes() == before


@pytest.mark.parametrize("file", ["database.dump", "home/secret", "manifest.json"])
def test_a_damaged_backup_is_refused_before_anything_is_done(backup, into, file):
    path = backup / file
    path.write_bytes(path.read_bytes()[:-1])
    said = into(backup)
    assert (said.status, file in said.err) == (2, True)
    assert (tables(into.database), into.home.exists()) == (0, False)


def test_a_dump_that_ends_early_leaves_nothing_behind(backup, into):
    dump, manifest = backup / "database.dump", backup / "manifest.json"
    dump.write_bytes(dump.read_bytes()[:-2000])
    told = json.loads(manifest.read_text())
    told["files"]["database.dump"] = [dump.stat().st_size, sha256(dump.read_bytes()).hexdigest()]
    manifest.write_text(json.dumps(told))
    said = into(backup)
    assert (said.status, "pg_restore failed" in said.err) == (1, True)
    assert (tables(into.database), into.home.exists()) == (0, False)


def test_a_backup_of_a_later_version_is_refused(backup, into):
    told = json.loads((backup / "manifest.json").read_text())
    (backup / "manifest.json").write_text(json.dumps({**told, "revision": "9999"}))
    said = into(backup)
    assert (said.status, "later version" in said.err) == (2, True)


def test_a_backup_does_not_lie_in_what_it_is_of(mdm, tmp_path):
    said = mdm("backup", str(tmp_path / "kept"))
    assert (said.status, "MDM_HOME" in said.err, (tmp_path / "kept").exists()) == (2, True, False)


def test_a_database_that_holds_anything_is_left_alone(mdm, backup, sound):
    before = picture(sound)
    said = mdm("restore", str(backup))
    assert (said.status, "not empty" in said.err) == (2, True)
    assert picture(sound) == before


def test_another_installations_secret_is_left_alone(backup, into):
    into.home.mkdir()
    (into.home / "secret").write_text("ours")
    said = into(backup)
    assert (said.status, "another installation" in said.err) == (2, True)
    assert ((into.home / "secret").read_text(), tables(into.database)) == ("ours", 0)


def test_the_password_is_never_said(mdm, tmp_path_factory):
    said = mdm("backup", str(tmp_path_factory.mktemp("kept") / "monday"), MDM_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:9/none")
    assert (said.status, "hunter2" in said.err) == (1, False)
