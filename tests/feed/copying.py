"""The reference consumer of docs/, and what "equal" means: see docs/feed.md."""

import importlib.util
from pathlib import Path

from mdm.db import fetch

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("consumer", ROOT / "docs" / "consumer.py")
consumer = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(consumer)


def reader(client, headers):
    """The consumer's way to ask, through the test client."""

    def get(address):
        answer = client.get(address, headers=headers)
        return answer.status_code, answer.json

    return get


def of_copy(copy):
    """What the copy says: every golden id with its status and who answers for it; of those that answer, version and identifiers."""
    ids = {row[0] for row in copy.execute("select id from golden")}
    golden = {
        row[0]: (row[1], row[2], consumer.survivor(copy, row[0]), row[3])
        for row in copy.execute("select id, domain, status, version from golden")
    }
    held = {tuple(row) for row in copy.execute("select * from identifier")}
    assert {row[0] for row in held} <= ids
    return golden, held


def of_tables(database):
    """The same from Concord's own tables."""

    def work(session):
        golden = fetch(
            session,
            "select id::text, domain, status, coalesce(merged_into, id)::text, case when status <> 'merged' then version end"
            " from golden_record",
        )
        held = fetch(
            session,
            "select x.golden_id::text, s.code, x.value, x.status, x.valid_from::text, x.valid_to::text from xref x"
            " join identifier_system s on s.id = x.system_id where x.recorded_to is null",
        )
        return {row[0]: row[1:] for row in golden}, {tuple(row) for row in held}

    return database.run(work)
