"""Style sheets, scripts, fonts: one hash over all of them stands in their address, so that browsers may keep them for ever."""

from hashlib import sha256
from pathlib import Path

from flask import Response

FOLDER = Path(__file__).with_name("static")
_DIGITS = 12


def version() -> str:
    """A hash of every file's name and content; another file, another address."""
    digest = sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(FOLDER)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:_DIGITS]


def keep(response: Response) -> Response:
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
