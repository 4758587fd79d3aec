"""docs/decisions-and-undo.md, as printed."""

from pathlib import Path

from tests.examples import Examples

DOCS = Path(__file__).parents[2] / "docs"


def test_the_examples_of_decisions_and_undo_hold(clean_database, client, key):
    del clean_database
    flow, steward = key("integration"), key("steward")
    examples = Examples(client, lambda method, path: flow if method == "PUT" and "/sources/" in path else steward)
    assert examples.run(DOCS / "decisions-and-undo.md") >= 25
