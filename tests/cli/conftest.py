"""`mdm` as an operator calls it, with nothing in its environment but what the test says."""

import os
from dataclasses import dataclass

import pytest

from mdm.access import SYSTEM_ACTOR
from mdm.cli import main
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.standardise import Delivery
from mdm.systems import put_system

OURS = ("MDM_HOME", "MDM_DATABASE_URL", "MDM_BROKER_URL", "MDM_HOST", "MDM_PORT", "MDM_PROFILE", "MDM_WEB_WORKERS", "MDM_KEY_PEPPER")


@dataclass(frozen=True)
class Said:
    """What a command printed, and its status."""

    status: int
    out: str
    err: str

    @property
    def is_one_clear_line(self) -> bool:
        return self.status == 1 and self.err.startswith("mdm: ") and self.err.count("\n") == 1 and not self.out


@pytest.fixture
def mdm(tmp_path, sound, monkeypatch, capsys):
    """mdm("keys", "create", ..., MDM_PORT="1") -> what it said; by default over the sound database without a broker."""

    def run(*arguments, **variables):
        given = {"MDM_HOME": str(tmp_path), "MDM_DATABASE_URL": sound.url, "MDM_BROKER_URL": "none"} | variables
        for name in {*OURS, *(name for name in os.environ if name.startswith("MDM_"))}:
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            if value is not None:
                monkeypatch.setenv(name, value)
        capsys.readouterr()
        status = main(arguments)
        return Said(status, *capsys.readouterr())

    return run


def populate(database):
    """Two suppliers in two systems each: four records, two golden records."""
    with database.unit_of_work() as session:
        for code in ("erp-north", "erp-mercy"):
            put_system(session, code, name=code, kind="erp", organization="Northfield")
    suppliers = (("1", "Aldermoor Surgical Supply Inc", "47-1234561"), ("2", "Birchwood Linen Services LLC", "36-7654321"))
    deliveries = [
        Delivery(system, key, {"name": name}, (("us-ein", ein),), "active", None, None)
        for system in ("erp-north", "erp-mercy")
        for key, name, ein in suppliers
    ]
    results = deliver_all(database, ENTITY_TYPES["supplier"], SYSTEM_ACTOR, deliveries, "test")
    assert not any(result.problems for result in results)
    return database


@pytest.fixture(scope="session")
def populated(new_database):
    """What the two below are copies of: nobody is connected to it."""
    made = populate(new_database.migrated())
    made.close()
    return made


@pytest.fixture(scope="session")
def sound(new_database, populated):
    return new_database(populated)


@pytest.fixture
def damaged(new_database, populated):
    """A populated database of the test's own, to be broken."""
    return new_database(populated)
