"""A load's job seen through from a shell: done here where no worker takes it, waited for where one does, with its progress shown."""

import secrets
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from mdm.db import Database, fetch
from mdm.load_jobs import load_handlers
from mdm.running import Hand
from mdm.settings import Settings

ENDED = frozenset({"done", "failed", "quarantined", "cancelled"})
_LOOK_SECONDS = 0.5
_LINE_SECONDS = 10.0
_BAR = 30


def follow(database: Database, settings: Settings, job_id: UUID, *, quiet: bool) -> str:
    """Until the job has ended; its state. Interrupted, it is left to a worker, or to who asks again."""
    stopping = threading.Event()
    shown = threading.Thread(target=_show, args=(database, job_id, stopping), daemon=True)
    if not quiet:
        shown.start()
    handlers = load_handlers(settings.home, settings.match_memory_gb)
    hand = Hand(database, f"shell:{secrets.token_hex(4)}", stopping.is_set, handlers)
    try:
        while (state := _state(database, job_id)) not in ENDED:
            hand.take(job_id)  # nothing happens where a worker has it, or where it waits to be tried again
            if _state(database, job_id) not in ENDED:
                time.sleep(_LOOK_SECONDS)
    finally:
        stopping.set()
        if not quiet:
            shown.join()
    return state


def _state(database: Database, job_id: UUID) -> str:
    return str(database.run(lambda session: fetch(session, "select state from job where id = %s", (job_id,)))[0][0])


def _show(database: Database, job_id: UUID, stop: threading.Event) -> None:
    """A bar on a terminal; elsewhere a line now and then."""
    on_terminal, last, said = sys.stderr.isatty(), "", 0.0
    while True:
        ended = stop.wait(_LOOK_SECONDS)
        rows = database.run(lambda session: fetch(session, "select progress from job where id = %s", (job_id,)))
        text = _told(rows[0][0] if rows else {}, bar=on_terminal)
        is_due = text != last and (on_terminal or ended or time.monotonic() - said > _LINE_SECONDS)
        if text and is_due:
            sys.stderr.write(f"\r\x1b[K{text}" if on_terminal else f"{text}\n")
            sys.stderr.flush()
            last, said = text, time.monotonic()
        if ended:
            sys.stderr.write("\n" if on_terminal and last else "")
            return


def _told(progress: Mapping[str, Any], *, bar: bool) -> str:
    """As in: applying [######        ] 1,200 of 5,000, 300/s, 13 s left."""
    if not progress:
        return ""
    done, total, rate = progress["done"], progress["total"], progress["rate"]
    parts = [f"{done:,} of {total:,}" if total else f"{done:,} rows" if done else ""]
    if rate:
        parts += [f"{rate:,.0f}/s", f"{(total - done) / rate:,.0f} s left" if total else ""]
    filled = int(_BAR * done / total) if total else 0
    drawn = f"[{'#' * filled}{' ' * (_BAR - filled)}] " if bar and total else ""
    return f"{progress['stage']} {drawn}{', '.join(part for part in parts if part)}".rstrip()
