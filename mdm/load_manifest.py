"""A folder that is loaded as one: its manifest says which file is what, in which order. Raises UnusableFile, which names the entry.

manifest.json or manifest.toml:
    system = "mercy-ehr"                       # of all files that name none themselves
    [[files]]
    file = "patients.csv"                      # inside the folder
    domain = "patient"
    columns = {key = "MRN", phone = ["HOME", "CELL"]}       # left out: suggested
    order = 1                                  # left out: as listed; also sheet, encoding, delimiter, header_row
"""

import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from mdm.load_table import Options, refusal
from mdm.load_targets import Binding, Mapping

NAMES = ("manifest.json", "manifest.toml")
FILES_MAX = 200
_BYTES_MAX = 1024 * 1024
_OPTIONS = tuple(each.name for each in fields(Options))
_KNOWN = frozenset({"file", "domain", "system", "columns", "order", *_OPTIONS})


@dataclass(frozen=True, slots=True)
class Part:
    """One table of the folder; an empty mapping is left to suggestions."""

    path: Path
    name: str
    domain: str
    system: str
    mapping: Mapping
    options: Options


def read_manifest(folder: Path, domains: Collection[str]) -> tuple[Part, ...]:
    """The tables of a folder in the order in which they are to be loaded. Raises UnusableFile."""
    path = next((folder / name for name in NAMES if (folder / name).is_file()), None)
    if path is None:
        raise refusal(folder.name, "no_manifest", "the folder has no manifest", f"write {' or '.join(NAMES)}: which file is which domain")
    raw = _parsed(path)
    entries = raw.get("files")
    if not isinstance(entries, list) or not 0 < len(entries) <= FILES_MAX or not all(isinstance(each, dict) for each in entries):
        raise refusal(path.name, "bad_manifest", "`files` is no list of entries", f"list 1 to {FILES_MAX} files, each with file and domain")
    if set(raw) - {"files", "system"}:
        raise refusal(path.name, "bad_manifest", f"unknown: {', '.join(sorted(set(raw) - {'files', 'system'}))}", "it has system and files")
    ordered = sorted(enumerate(entries, 1), key=lambda each: (_order(path, *each), each[0]))
    return tuple(_part(folder, path, number, {"system": raw.get("system", ""), **entry}, domains) for number, entry in ordered)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _BYTES_MAX:
            raise refusal(path.name, "bad_manifest", "it is larger than 1 MiB", "a manifest names files, it does not hold them")
        text = path.read_text("utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise refusal(path.name, "bad_manifest", f"no valid {path.suffix[1:].upper()}", "check commas, quotes and brackets") from error
    if not isinstance(found, dict):
        raise refusal(path.name, "bad_manifest", "it is no object", "it has system and files")
    return found


def _order(path: Path, number: int, entry: dict[str, Any]) -> int:
    order = entry.get("order", number)
    if not isinstance(order, int):
        raise _wrong(path, number, "order is no whole number", "number the files, or leave it out")
    return order


def _wrong(path: Path, number: int, fault: str, remedy: str) -> Exception:
    return refusal(path.name, "bad_manifest", f"entry {number}: {fault}", remedy)


def _part(folder: Path, path: Path, number: int, entry: dict[str, Any], domains: Collection[str]) -> Part:
    if set(entry) - _KNOWN:
        raise _wrong(path, number, f"unknown: {', '.join(sorted(set(entry) - _KNOWN))}", f"an entry has {', '.join(sorted(_KNOWN))}")
    for name in ("file", "domain", "system"):
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise _wrong(path, number, f"{name} is missing", f"say the {name}")
    if entry["domain"] not in domains:
        raise _wrong(path, number, "there is no such domain", f"there are {', '.join(sorted(domains))}")
    found = (folder / entry["file"]).resolve()
    if not found.is_relative_to(folder.resolve()):
        raise _wrong(path, number, "the file lies outside the folder", "put it into the folder")
    if not found.is_file():
        raise _wrong(path, number, "there is no such file in the folder", "check the name")
    options = {name: entry[name] for name in _OPTIONS if name in entry}
    if not all(isinstance(value, int if name == "header_row" else str) for name, value in options.items()):
        raise _wrong(path, number, "an option is of the wrong kind", "sheet, encoding and delimiter are texts, header_row is a number")
    return Part(
        found, entry["file"], entry["domain"], entry["system"], _mapping(path, number, entry.get("columns", {})), Options(**options)
    )


def _mapping(path: Path, number: int, raw: object) -> Mapping:
    if not isinstance(raw, dict):
        raise _wrong(path, number, "columns is no object", "write target = column")
    pairs = [(target, column) for target, said in raw.items() for column in (said if isinstance(said, list) else [said])]
    if not all(isinstance(column, str) and column for _, column in pairs):
        raise _wrong(path, number, "a column is no text", "write target = column, or a list of columns")
    return tuple(Binding(target, column) for target, column in pairs)
