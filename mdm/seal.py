"""The audit is sealed: what was written once cannot be changed, removed or added to later without being named by `mdm audit verify`.

No chain in the way of writers. A sealer takes the rows of finished transactions, in order of transaction and number: no row can appear
below its watermark later, so nothing escapes. Each batch keeps the hash of every row, the root of these hashes, and a head that hangs on
the batch before, signed with a key that is not in the database. Heads are also written to a file: what was cut off at the end shows there.
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from os import SEEK_END
from pathlib import Path
from typing import LiteralString

import orjson
from sqlalchemy.orm import Session

from mdm.db import Row, execute, fetch

BATCH_MAX = 20_000
HASH_BYTES = 32
HEADS = "audit-heads.jsonl"
_TAIL_BYTES = 8192  # some eighty heads
_LOCK = 0x5EA1
_FIRST_HEAD = bytes(HASH_BYTES)

_COLUMNS: LiteralString = (
    "n, xid, (extract(epoch from at) * 1000000)::bigint, principal, action, domain, subjects::text[], fields, request_id, outcome, detail"
)


@dataclass(frozen=True, slots=True)
class Seal:
    """One batch. `floor`: rows up to this number are of a database that was restored since, and counted transactions otherwise."""

    batch: int
    floor: int
    watermark: int
    rows: int
    leaves: bytes
    root: bytes
    previous: bytes
    head: bytes
    signature: bytes


_LEAST = -(2**63)
NOTHING = Seal(0, _LEAST, 0, 0, b"", b"", b"", _FIRST_HEAD, b"")


def seal(session: Session, key: bytes) -> Seal | None:
    """Seal what is finished; None when nothing is, or another worker is at it."""
    if not fetch(session, "select pg_try_advisory_xact_lock(%s)", (_LOCK,))[0][0]:
        return None
    last = last_seal(session)
    horizon = fetch(session, "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")[0][0]
    rows = fetch(session, _READY, (last.floor, last.watermark, horizon, BATCH_MAX + 1))
    if len(rows) > BATCH_MAX:  # a transaction is never sealed in parts
        horizon = rows[-1][1]
        rows = [row for row in rows if row[1] < horizon] or fetch(session, _READY, (last.floor, last.watermark, horizon + 1, None))
        horizon = max(horizon, rows[-1][1] + 1) if rows[-1][1] >= horizon else horizon
    return _write(session, key, last, rows, (last.floor, horizon)) if rows else None


_READY: LiteralString = f"select {_COLUMNS} from audit where n > %s and xid >= %s and xid < %s order by xid, n limit %s"


def break_off(session: Session, key: bytes) -> None:
    """After a restore, before anything else is written: seal the rest; from here on another server counts transactions."""
    last = last_seal(session)
    rows = fetch(session, f"select {_COLUMNS} from audit where n > %s and xid >= %s order by xid, n", (last.floor, last.watermark))
    if rows or last.watermark:
        top = fetch(session, "select coalesce(max(n), 0) from audit")[0][0]
        _write(session, key, last, rows, (top, 0))


def last_seal(session: Session) -> Seal:
    rows = fetch(session, f"{SEALS} order by batch desc limit 1")
    return Seal(*rows[0]) if rows else NOTHING


SEALS: LiteralString = "select batch, floor, watermark, rows, leaves, root, previous, head, signature from audit_seal"


def _write(session: Session, key: bytes, last: Seal, rows: Sequence[Row], end: tuple[int, int]) -> Seal:
    leaves = [leaf(row) for row in rows]
    floor, watermark = end
    root = root_of(leaves)
    head = head_of(last.head, last.batch + 1, (floor, watermark, len(rows)), root)
    made = Seal(last.batch + 1, floor, watermark, len(rows), b"".join(leaves), root, last.head, head, sign(key, head))
    execute(
        session,
        "insert into audit_seal (batch, floor, watermark, rows, leaves, root, previous, head, signature)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (made.batch, floor, watermark, made.rows, made.leaves, root, last.head, head, made.signature),
    )
    return made


def leaf(row: Row) -> bytes:
    """The hash of one audit row: keys sorted, nothing between them, as RFC 8785 has it."""
    names = ("n", "xid", "at", "principal", "action", "domain", "subjects", "fields", "request_id", "outcome", "detail")
    return sha256(b"\0" + orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_SORT_KEYS)).digest()


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over these hashes; a level's odd one out goes up as it is."""
    level = list(leaves) or [_FIRST_HEAD]
    while len(level) > 1:
        pairs = [sha256(b"\1" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def head_of(previous: bytes, batch: int, counts: tuple[int, int, int], root: bytes) -> bytes:
    """What a batch is known by: the batch before it, and all that it says of itself."""
    floor, watermark, rows = counts
    header = {"batch": batch, "floor": floor, "watermark": watermark, "rows": rows, "root": root.hex()}
    return sha256(previous + orjson.dumps(header, option=orjson.OPT_SORT_KEYS)).digest()


def sign(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, head, "sha256")


def note_heads(session: Session, home: Path) -> None:
    """Write to the file every head that it does not have yet: also those of a worker that died before it could."""
    path = home / HEADS
    tail = _tail(path)
    known = max((batch for batch, _ in _heads(tail.decode(errors="replace").splitlines())), default=0)
    rows = fetch(session, "select batch, head from audit_seal where batch > %s order by batch", (known,))
    if rows:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("a") as file:
            if tail and not tail.endswith(b"\n"):  # what was cut off must not take the next line with it
                file.write("\n")
            file.writelines(json.dumps({"batch": batch, "head": head.hex()}) + "\n" for batch, head in rows)
        path.chmod(0o600)


def _tail(path: Path) -> bytes:
    """The last lines of the file, which is looked at every few seconds and grows for years."""
    if not path.exists():
        return b""
    with path.open("rb") as file:
        file.seek(0, SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return file.read()


def read_heads(path: Path) -> list[tuple[int, bytes]]:
    """The heads in a file; a last line that was cut off is none."""
    return list(_heads(path.read_text().splitlines())) if path.exists() else []


def _heads(lines: Iterable[str]) -> Iterable[tuple[int, bytes]]:
    for line in lines:
        try:
            told = json.loads(line)
            yield int(told["batch"]), bytes.fromhex(told["head"])
        except (ValueError, TypeError, KeyError):
            continue
