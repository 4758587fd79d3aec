"""docs/decisions-and-undo.md, as printed."""

from pathlib import Path

from mdm.db import execute
from tests.examples import Examples

# The document says of one payer that it was published long ago
AGED = (
    "update golden_record g set created_at = now() - interval '31 days' from golden_version v where v.golden_id = g.id"
    " and v.\"values\" ->> 'name' like 'Elm %'"
)
DOCS = Path(__file__).parents[2] / "docs"


def test_the_examples_of_decisions_and_undo_hold(clean_database, client, key):
    flow, steward = key("integration"), key("steward")

    def whose(method, path):
        clean_database.run(lambda session: execute(session, AGED))
        return flow if method == "PUT" and "/sources/" in path else steward

    examples = Examples(client, whose)
    assert examples.run(DOCS / "decisions-and-undo.md") >= 25
