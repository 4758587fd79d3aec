"""Worked examples of a document, run as they stand: ```example blocks of requests and what must be in their answers.

    PUT /v1/path {"json": "body"} If-Match: "1"
    -> 200 {"some": "members", "of": "the answer"}

`"$name"` in an answer keeps the value where it is not known yet, and asks for it where it is; in a request it stands for it.
"""

import json
import re
from pathlib import Path
from typing import Any

_BLOCK = re.compile(r"^```example\n(.*?)^```", re.MULTILINE | re.DOTALL)
_REQUEST = re.compile(r"(GET|PUT|POST|DELETE) (\S+)(?: (\{.*\}|\[.*\]))?(?: If-Match: (\S+))?")
_KEPT = re.compile(r"\$[a-z][a-z0-9_]*")


class Examples:
    """Runs a document against a client; `headers` answers with whose they are for a path."""

    def __init__(self, client: Any, headers: Any) -> None:
        self._client, self._headers = client, headers
        self._kept: dict[str, Any] = {}

    def run(self, document: Path) -> int:
        """How many requests were made; raises AssertionError at the first answer that is not as told."""
        lines = [line for block in _BLOCK.findall(document.read_text()) for line in block.strip().splitlines()]
        for asked, told in zip(lines[::2], lines[1::2], strict=True):
            self._one(asked, told)
        return len(lines) // 2

    def _one(self, asked: str, told: str) -> None:
        request = _REQUEST.fullmatch(_KEPT.sub(lambda found: str(self._kept.get(found[0], found[0])), asked))
        expected = re.fullmatch(r"-> (\d{3})(?: (.*))?", told)
        assert request is not None, asked
        assert expected is not None, told
        method, path, body, etag = request.groups()
        headers = {**self._headers(method, path), **({"If-Match": etag} if etag else {})}
        answer = self._client.open(path, method=method, json=None if body is None else json.loads(body), headers=headers)
        assert answer.status_code == int(expected[1]), (asked, answer.status_code, answer.json)
        if expected[2]:
            self._compare(json.loads(expected[2]), answer.json, asked)

    def _compare(self, told: Any, found: Any, asked: str) -> None:
        if isinstance(told, str) and told.startswith("$"):
            assert self._kept.setdefault(told, found) == found or told == "$version", (asked, told, found)
            self._kept[told] = found
        elif isinstance(told, dict):
            for name, value in told.items():
                self._compare(value, found[name], asked)
        elif isinstance(told, list):
            assert len(told) == len(found), (asked, told, found)
            for one, other in zip(told, found, strict=True):
                self._compare(one, other, asked)
        else:
            assert told == found, (asked, told, found)
