import re
import shlex
from pathlib import Path

_COMMAND = re.compile(r"^\$ mdm (.+)$", re.MULTILINE)


def test_the_commands_of_the_document_work(mdm, tmp_path, monkeypatch):
    text = Path("docs/exports.md").read_text()
    monkeypatch.chdir(tmp_path)
    commands = _COMMAND.findall(text)
    assert [mdm(*shlex.split(command)).status for command in commands] == [0] * len(commands)
    assert {path.name for path in tmp_path.iterdir()} >= {"crosswalk.csv", "crosswalk.csv.json", "golden.parquet", "golden.parquet.json"}
