"""A disk that is full: said so, and nothing half-written left. Real limits of the operating system, in a process of its own."""

import subprocess
import sys
from pathlib import Path

from mdm.load_keep import FOLDER

ROOT = Path(__file__).parents[2]
_KEEP = """
import io, resource, sys
from pathlib import Path
from uuid import UUID
from mdm.errors import NoRoom
from mdm.load_keep import keep
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    keep(Path(sys.argv[1]), UUID(int=1), io.BytesIO(b"x" * 3_000_000), "people.csv")
except NoRoom as error:
    print(error.code)
"""


def test_an_upload_that_does_not_fit_leaves_nothing(tmp_path):
    said = subprocess.run([sys.executable, "-c", _KEEP, str(tmp_path)], cwd=ROOT, check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "no_room"
    assert list((tmp_path / FOLDER).iterdir()) == []
