"""Files that are loaded as one, in a folder or sent together: a manifest says which is what, in which order.

Raises UnusableFile, which names the entry. manifest.json or manifest.toml:
    system = "mercy-ehr"                       # of all files that name none themselves
    [[files]]
    file = "patients.csv"                      # inside the folder, or the name of a file that was sent
    domain = "patient"
    columns = {key = "MRN", phone = ["HOME", "CELL"]}       # left out: suggested
    steps = [{kind = "date_order", column = "DOB", order = "DMY"}]
    order = 1                                  # left out: as listed; also sheet, encoding, delimiter, header_row
"""

import json
import tomllib
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from mdm.errors import UnusableInput
from mdm.load_steps import given_step
from mdm.load_table import Options, refusal
from mdm.load_targets import Binding, Mapping

NAMES = ("manifest.json", "manifest.toml")
FILES_MAX = 200
MANIFEST_BYTES_MAX = 1024 * 1024
_OPTIONS = tuple(each.name for each in fields(Options))
_KNOWN = frozenset({"file", "domain", "system", "columns", "steps", "order", *_OPTIONS})


@dataclass(frozen=True, slots=True)
class Part:
    """One table; an empty mapping is left to suggestions. `path`: of a file that was sent, only its name."""

    path: Path
    name: str
    domain: str
    system: str
    mapping: Mapping
    options: Options
    steps: tuple[dict[str, Any], ...] | None = None  # None: those of the template


Find = Callable[[str], Path]  # the file of an entry; raises _Missing


class _Missing(Exception):
    """No such file: what is wrong, and what to do."""

    def __init__(self, fault: str, remedy: str) -> None:
        super().__init__(fault)
        self.fault, self.remedy = fault, remedy


def read_manifest(folder: Path, domains: Collection[str]) -> tuple[Part, ...]:
    """The tables of a folder in the order in which they are to be loaded. Raises UnusableFile."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        raise refusal(folder.name, "no_manifest", "the folder has no manifest", f"write {' or '.join(NAMES)}: which file is which domain")
    with path.open("rb") as content:
        return _parts(path.name, content.read(MANIFEST_BYTES_MAX + 1), partial(_in_folder, folder), domains)


def read_sent(name: str, content: bytes, files: Collection[str], domains: Collection[str]) -> tuple[Part, ...]:
    """The same of files that were sent together, given by their names. Raises UnusableFile, also for one that no entry names."""
    found = _parts(name, content, partial(_among, files), domains)
    unnamed = sorted(set(files) - {part.name for part in found})
    if unnamed:
        raise refusal(name, "bad_manifest", f"no entry names {', '.join(unnamed)}", "list every file that is sent")
    return found


def _parts(name: str, content: bytes, find: Find, domains: Collection[str]) -> tuple[Part, ...]:
    raw = _parsed(name, content)
    entries = raw.get("files")
    if not isinstance(entries, list) or not 0 < len(entries) <= FILES_MAX or not all(isinstance(each, dict) for each in entries):
        raise refusal(name, "bad_manifest", "`files` is no list of entries", f"list 1 to {FILES_MAX} files, each with file and domain")
    if set(raw) - {"files", "system"}:
        raise refusal(name, "bad_manifest", f"unknown: {', '.join(sorted(set(raw) - {'files', 'system'}))}", "it has system and files")
    ordered = sorted(enumerate(entries, 1), key=lambda each: (_order(name, *each), each[0]))
    return tuple(_part(name, number, {"system": raw.get("system", ""), **entry}, (find, domains)) for number, entry in ordered)


def _parsed(name: str, content: bytes) -> dict[str, Any]:
    kind = name.rpartition(".")[2].lower()
    try:
        if len(content) > MANIFEST_BYTES_MAX:
            raise refusal(name, "bad_manifest", "it is larger than 1 MiB", "a manifest names files, it does not hold them")
        text = content.decode("utf-8")
        found = json.loads(text) if kind == "json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise refusal(name, "bad_manifest", f"no valid {kind.upper()}", "check commas, quotes and brackets") from error
    if not isinstance(found, dict):
        raise refusal(name, "bad_manifest", "it is no object", "it has system and files")
    return found


def _in_folder(folder: Path, name: str) -> Path:
    found = (folder / name).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise _Missing("the file lies outside the folder", "put it into the folder")
    if not found.is_file():
        raise _Missing("there is no such file in the folder", "check the name")
    return found


def _among(files: Collection[str], name: str) -> Path:
    if name not in files:
        raise _Missing("no such file was sent", "send it as a part named `file`, under this file name")
    return Path(name)


def _order(name: str, number: int, entry: dict[str, Any]) -> int:
    order = entry.get("order", number)
    if not isinstance(order, int):
        raise _wrong(name, number, "order is no whole number", "number the files, or leave it out")
    return order


def _wrong(name: str, number: int, fault: str, remedy: str) -> Exception:
    return refusal(name, "bad_manifest", f"entry {number}: {fault}", remedy)


def _part(name: str, number: int, entry: dict[str, Any], known: tuple[Find, Collection[str]]) -> Part:
    find, domains = known
    if set(entry) - _KNOWN:
        raise _wrong(name, number, f"unknown: {', '.join(sorted(set(entry) - _KNOWN))}", f"an entry has {', '.join(sorted(_KNOWN))}")
    for field in ("file", "domain", "system"):
        if not isinstance(entry.get(field), str) or not entry[field]:
            raise _wrong(name, number, f"{field} is missing", f"say the {field}")
    if entry["domain"] not in domains:
        raise _wrong(name, number, "there is no such domain", f"there are {', '.join(sorted(domains))}")
    try:
        found = find(entry["file"])
    except _Missing as error:
        raise _wrong(name, number, error.fault, error.remedy) from None
    options = {each: entry[each] for each in _OPTIONS if each in entry}
    if not all(isinstance(value, int if each == "header_row" else str) for each, value in options.items()):
        raise _wrong(name, number, "an option is of the wrong kind", "sheet, encoding and delimiter are texts, header_row is a number")
    mapping = _mapping(name, number, entry.get("columns", {}))
    steps = _steps(name, number, entry["steps"]) if "steps" in entry else None
    return Part(found, entry["file"], entry["domain"], entry["system"], mapping, Options(**options), steps)


def _steps(name: str, number: int, raw: object) -> tuple[dict[str, Any], ...]:
    if not isinstance(raw, list):
        raise _wrong(name, number, "steps is no list", "list the repairs, each of one column")
    try:
        return tuple(given_step(step).as_json() for step in raw)
    except UnusableInput as error:
        raise _wrong(name, number, error.message, "; ".join(each.message for each in error.problems) or "mend the step") from None


def _mapping(name: str, number: int, raw: object) -> Mapping:
    if not isinstance(raw, dict):
        raise _wrong(name, number, "columns is no object", "write target = column")
    pairs = [(target, column) for target, said in raw.items() for column in (said if isinstance(said, list) else [said])]
    if not all(isinstance(column, str) and column for _, column in pairs):
        raise _wrong(name, number, "a column is no text", "write target = column, or a list of columns")
    return tuple(Binding(target, column) for target, column in pairs)
