"""What of others the browser gets: exact packages, their licences, the hash of every file. `fetch` for developers, `check` anywhere.

`vendor.json` beside this file is the list, and the only one. It names packages and versions; where those come from is npm's business.
"""

import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
LIST = Path(__file__).with_name("vendor.json")
_SYMBOL = re.compile(r"<svg[^>]*>(.*)</svg>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class File:
    """A file here, where it stands in its package ("" where it was made of several), and its hash."""

    file: str
    path: str
    sha256: str


def read_list() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(LIST.read_text())["packages"]
    return found


def check(packages: Sequence[Mapping[str, Any]], root: Path = ROOT) -> list[str]:
    """What is not as the list says: missing files, changed ones, and files that no package brought."""
    listed = {each["file"]: each["sha256"] for package in packages for each in package["files"]}
    wrong = [f"{file}: missing" for file in listed if not (root / file).is_file()]
    wrong += [
        f"{file}: not the file of the package" for file, known in listed.items() if (root / file).is_file() and _hash(root / file) != known
    ]
    folders = sorted({(root / file).parent for file in listed})
    present = {str(path.relative_to(root)) for folder in folders if folder.is_dir() for path in folder.iterdir() if path.is_file()}
    return wrong + [f"{file}: in no package of the list" for file in sorted(present - listed.keys())]


def _hash(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def fetch(packages: Sequence[Mapping[str, Any]], root: Path = ROOT) -> list[dict[str, Any]]:
    """The packages again at the versions of the list, their files in place, and the list with the hashes of these."""
    with TemporaryDirectory() as folder:
        return [{**package, "files": [_entry(each) for each in _place(package, Path(folder), root)]} for package in packages]


def _entry(each: File) -> dict[str, str]:
    return {"file": each.file, "path": each.path, "sha256": each.sha256}


def _place(package: Mapping[str, Any], folder: Path, root: Path) -> Iterator[File]:
    members = _unpacked(f"{package['name']}@{package['version']}", folder)
    for each in package["files"]:
        content = members[each["path"]] if each["path"] else _sprite(members, package["icons"])
        target = root / each["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        yield File(each["file"], each["path"], sha256(content).hexdigest())


def _unpacked(spec: str, folder: Path) -> dict[str, bytes]:
    done = subprocess.run(["npm", "pack", "--silent", "--pack-destination", str(folder), spec], check=True, capture_output=True, text=True)
    with tarfile.open(folder / done.stdout.strip().splitlines()[-1]) as archive:
        found = {member.name.removeprefix("package/"): archive.extractfile(member) for member in archive.getmembers() if member.isfile()}
        return {name: stream.read() for name, stream in found.items() if stream is not None}


def _sprite(members: Mapping[str, bytes], icons: Sequence[str]) -> bytes:
    """The chosen icons as symbols of one file; strokes and colours come from the page."""
    symbols = [f'<symbol id="{name}" viewBox="0 0 24 24">{_drawing(members[f"icons/{name}.svg"])}</symbol>' for name in icons]
    return ('<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n").encode()


def _drawing(icon: bytes) -> str:
    found = _SYMBOL.search(icon.decode())
    if found is None:
        raise ValueError("an icon that is no drawing")
    return re.sub(r"\s*\n\s*", "", found[1]).strip()


def main(arguments: Sequence[str]) -> int:
    match list(arguments):
        case ["fetch"]:
            LIST.write_text(json.dumps({"packages": fetch(read_list())}, indent=2) + "\n")
            return 0
        case ["check"]:
            wrong = check(read_list())
            sys.stdout.write("".join(f"{line}\n" for line in wrong) or "vendored files are as listed\n")
            return 1 if wrong else 0
        case _:
            sys.stderr.write("usage: python -m stewardship_ui.vendor fetch|check\n")
            return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
