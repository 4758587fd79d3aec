import re
from pathlib import Path

from mdm.load_steps import KINDS
from tests.loads import broken

DOCUMENT = Path("docs/load-files.md")
_CODES = re.compile(r"(?:refusal\([^,]+, |_wrong\(|rejected\(|RowProblem\(|_problem\()\"([a-z_]+)\"", re.DOTALL)


def test_every_code_and_step_stands_in_the_document():
    sources = [path.read_text() for path in Path("mdm").glob("load_*.py")]
    codes = {code for source in sources for code in _CODES.findall(source)} | {each.code for each in broken.BROKEN if each.code}
    told = set(re.findall(r"`([a-z_]+)`", DOCUMENT.read_text()))
    assert codes | set(KINDS) <= told
    assert len(codes) > 40
