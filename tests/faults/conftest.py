"""A database for what fails, a broker of its own, and crews of workers that end with the test."""

import pytest

from mdm import embedded
from mdm.db import execute
from mdm.settings import Settings
from tests.faults.kit.crew import Crew
from tests.faults.kit.work import LEDGER


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path_factory.mktemp("broker")), "MDM_DATABASE_URL": "postgresql://u@h/unused"})
    yield embedded.ensure_valkey(settings)
    embedded.stop(settings)


@pytest.fixture(scope="module")
def ledger_database(new_database):
    made = new_database.migrated()
    made.run(lambda session: execute(session, LEDGER))
    return made


@pytest.fixture
def ledger(ledger_database):
    """The database with an empty ledger and without a job."""
    ledger_database.run(lambda session: execute(session, "truncate ledger, job, canary cascade"))
    return ledger_database


@pytest.fixture
def crew(ledger, broker, tmp_path):
    """crew(options) -> workers of this test."""
    made = []

    def make(options=(), *, broker_url=broker):
        made.append(Crew(ledger, broker_url, tmp_path, options))
        return made[-1]

    yield make
    for each in made:
        each.end()
