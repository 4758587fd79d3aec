"""Uploaded files below MDM_HOME: written under another name first, so that a file that is there is whole."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO
from uuid import UUID

from mdm.errors import NoRoom

FOLDER = "loads"
_BLOCK_BYTES = 1 << 20
_ENDING = re.compile(r"(\.[a-z0-9]{1,10}){0,2}\Z")  # what the file is called otherwise is only told


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a file lies below MDM_HOME, and what it is."""

    place: str
    sha256: str
    bytes: int


def keep(home: Path, load_id: UUID, content: IO[bytes], name: str) -> Kept:
    """Keep the file of a load. Raises NoRoom where the disk is full; then nothing is left."""
    folder = home / FOLDER / str(load_id)
    ending = _ENDING.search(name.lower())
    path = folder / f"file{ending[0] if ending else ''}"
    part = path.with_name(path.name + ".part")
    digest, size = sha256(), 0
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with part.open("wb") as out:
            part.chmod(0o600)
            while block := content.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        part.rename(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
        if NoRoom.is_why(error):
            raise NoRoom from error
        raise
    return Kept(str(path.relative_to(home)), digest.hexdigest(), size)


def drop(home: Path, kept: Kept) -> None:
    """A file that came to nothing."""
    path = home / kept.place
    path.unlink(missing_ok=True)
    path.parent.rmdir()
