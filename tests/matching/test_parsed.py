"""Columns that are written as JSON become the arrays that the same columns become one by one."""

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from matching.parsed import Parser
from matching.table import chunk_of

NAMES = ("name", "phone", 'a "b"')
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1) | st.sampled_from(
    ('["x"]', "[", '"', "null")
)
RECORDS = st.dictionaries(st.sampled_from((*NAMES, "other")), TEXTS | st.lists(TEXTS, min_size=1, max_size=3))
PIECES = st.lists(st.lists(RECORDS, min_size=1, max_size=4), min_size=1, max_size=3)


@settings(deadline=None)  # DuckDB begins anew for each
@given(PIECES)
@example([[{"name": "ann"}], [{"name": ["ann"]}, {"name": "bob"}], [{"name": ["ann", "bob"]}]])
@example([[{"phone": "[1]"}], [{}], [{"phone": ["[1]", "2"]}]])
def test_piece_by_piece_they_are_the_same(pieces):
    parser, listed, wanted_lists = Parser(NAMES), set(), set()
    for records in pieces:
        made, wanted = parser.chunk([json.dumps(each) for each in records]), chunk_of(NAMES, records)
        assert made.size == wanted.size
        assert {name: array.to_pylist() for name, array in made.arrays.items()} == {
            name: array.to_pylist() for name, array in wanted.arrays.items()
        }
        listed, wanted_lists = listed | made.listed, wanted_lists | wanted.listed
        assert listed == wanted_lists


def test_of_records_without_names_only_the_number_is_kept():
    assert Parser(()).chunk(['{"name": "ann"}', "{}"]) == chunk_of((), [{"name": "ann"}, {}])
