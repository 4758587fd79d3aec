"""Whatever happens to a file on its way: it is read, or it is refused by name."""

import gzip
import zipfile
from io import BytesIO

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mdm.errors import UnusableFile
from mdm.load_files import open_table
from tests.loads.broken import book, parquet

_TEXT = b"id,name\n" + b"".join(b'%d,"Ann, %d"\n' % (number, number) for number in range(20))
_WHOLE = {
    "a.csv": _TEXT,
    "a.csv.gz": gzip.compress(_TEXT, mtime=0),
    "a.ndjson": b"".join(b'{"id":"%d","at":{"tags":[1,2]}}\n' % number for number in range(20)),
    "a.xlsx": book(("id", "name"), *((str(number), number * 1.5) for number in range(20)), merge="A5:B5")(),
    "a.parquet": parquet(pa.table({"id": ["1", "2"], "n": [1, None], "tags": [["a", "b"], None]}))(),
}
_MUTATION = st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 30), st.binary(max_size=8))


def mutated(data: bytes, mutations: list[tuple[float, int, bytes]]) -> bytes:
    """At some places some bytes are others, more, or fewer."""
    for where, gone, new in mutations:
        place = int(where * len(data))
        data = data[:place] + new + data[place + gone :]
    return data


def inside(data: bytes, part: float, mutations: list[tuple[float, int, bytes]]) -> bytes:
    """The same within one part of an archive that stays sound."""
    file = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as whole, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        victim = whole.namelist()[int(part * len(whole.namelist()))]
        for name in whole.namelist():
            made.writestr(name, mutated(whole.read(name), mutations) if name == victim else whole.read(name))
    return file.getvalue()


def is_read_or_refused(path, name, data):
    path.write_bytes(data)
    try:
        for batch in open_table(path, name=name).batches(7):
            assert len(batch.rows) == len(batch.numbers)
    except UnusableFile as error:
        refused = error
    else:
        return
    assert refused.message.startswith(name)
    assert all(problem.code and problem.message for problem in refused.problems)


@pytest.mark.parametrize("name", _WHOLE)
def test_a_damaged_file_is_read_or_refused(name, tmp_path_factory):
    path = tmp_path_factory.mktemp("mutation") / "f"

    @settings(max_examples=60, deadline=None)
    @given(st.lists(_MUTATION, min_size=1, max_size=4))
    def law(mutations):
        is_read_or_refused(path, name, mutated(_WHOLE[name], mutations))

    law()


def test_a_sound_archive_of_damaged_parts_is_read_or_refused(tmp_path_factory):
    path = tmp_path_factory.mktemp("mutation") / "f"

    @settings(max_examples=60, deadline=None)
    @given(st.floats(0, 1, exclude_max=True), st.lists(_MUTATION, min_size=1, max_size=4))
    def law(part, mutations):
        is_read_or_refused(path, "a.xlsx", inside(_WHOLE["a.xlsx"], part, mutations))

    law()


@settings(max_examples=80, deadline=None)
@given(name=st.sampled_from(sorted(_WHOLE)), data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(name, data, tmp_path_factory):
    is_read_or_refused(tmp_path_factory.mktemp("mutation") / "f", name, data)
