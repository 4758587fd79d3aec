"""docs/mappings.md works as printed: its requests run in order, and every answer holds what the document says."""

import json
import re
from pathlib import Path

TEXT = (Path(__file__).parents[2] / "docs" / "mappings.md").read_text()
EXAMPLES = re.findall(r"^```http (\w+)\n(.*?)^```\n```json (\d+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
ROLES = {"admin": "admin", "ann": "steward", "bob": "steward", "flow": "integration"}


def filled(text, known):
    return re.sub(r"\$(\w+)", lambda match: str(known.get(match[1], match[0])), text)


def request_of(printed):
    """Method, path, If-Match, body."""
    head, _, body = printed.partition("\n\n")
    first, *headers = head.strip().split("\n")
    method, path = first.split(" ", 1)
    given = dict(header.split(": ") for header in headers)
    return method, path, given.get("If-Match"), json.loads(body) if body.strip() else None


def check(said, got, known):
    """What is said is there; a $name that is met for the first time, or stands for a revision, is remembered."""
    if isinstance(said, dict):
        for name, value in said.items():
            check(value, got[name], known)
    elif isinstance(said, list):
        assert len(got) >= len(said) if said else got == []
        for one, other in zip(said, got, strict=False):
            check(one, other, known)
    elif isinstance(said, str) and said.startswith("$"):
        assert said == "$revision" or known.get(said[1:], got) == got
        known[said[1:]] = got
    else:
        assert got == said


def test_the_examples_work_as_printed(clean_database, client):
    known = {}
    assert len(EXAMPLES) == TEXT.count("```http") >= 20
    for who, printed, status, said in EXAMPLES:
        method, path, version, body = request_of(filled(printed, known))
        answer = client(method, path.removeprefix("/v1/mappings"), body, role=ROLES[who], who=who, if_match=version)
        assert answer.status_code == int(status), (printed, answer.text)
        check(json.loads(said), answer.json, known)


def test_every_outcome_and_reason_is_explained():
    from mdm.mapping_answers import Outcome
    from mdm.mapping_choice import Why

    assert [each for each in (*Outcome, *Why) if f"`{each.value}`" not in TEXT] == []
