import subprocess
import sys
from pathlib import Path

import pytest

from mdm.errors import UnusableFile
from mdm.load_files import open_table
from tests.loads import broken


@pytest.mark.parametrize("each", broken.BROKEN, ids=lambda each: each.name)
def test_a_broken_file_gets_its_message_and_good_rows_are_not_lost(each, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(each.data())
    if each.says:
        with pytest.raises(UnusableFile) as refused:
            list(open_table(path, name=each.name).batches(2))
        assert (refused.value.message, refused.value.problems[0].code) == (each.says, each.code)
        assert refused.value.problems[0].message
    else:
        batches = list(open_table(path, name=each.name).batches(2))
        assert {bad.number: bad.reject.code for batch in batches for bad in batch.rejected} == dict(each.rejects)
        assert sum(len(batch.rows) for batch in batches) == each.good


def test_there_are_forty_of_them_and_none_twice():
    assert len({each.name for each in broken.BROKEN}) == len(broken.BROKEN) >= 40


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(b"id,name\n1,Ann\n2,Bob\n")
    table = open_table(path, name="a.csv")
    path.write_bytes(b"id,name\n1,Ann\n2,Cy!\n")
    with pytest.raises(UnusableFile, match="changed while it was read"):
        list(table.batches(10))


def test_a_missing_file_and_a_folder_are_no_tables(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UnusableFile, match="there is no such file"):
            open_table(path, name="none.csv")


_OPEN = """
import sys, time
from pathlib import Path
from mdm.errors import UnusableFile
from mdm.load_files import open_table
started = time.process_time()
try:
    open_table(Path(sys.argv[1]), name=sys.argv[2])
except UnusableFile as error:
    peak = next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(error.problems[0].code, time.process_time() - started, peak)
"""


@pytest.mark.parametrize("name", ["bomb.xlsx", "bomb.csv.gz"])
def test_a_bomb_is_refused_in_two_seconds_and_300_megabytes(name, tmp_path):
    path = tmp_path / "upload"
    path.write_bytes(broken.bomb(2 << 30) if name.endswith("xlsx") else broken.packed(bytes(64 << 20))())
    done = subprocess.run([sys.executable, "-c", _OPEN, str(path), name], capture_output=True, text=True, check=True, cwd=Path.cwd())
    code, seconds, peak_kilobytes = done.stdout.split()
    assert (code, float(seconds) <= 2, int(peak_kilobytes) <= 300 * 1024) == ("zip_bomb", True, True), done.stdout
