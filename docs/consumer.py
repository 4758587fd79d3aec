"""A reference consumer: keeps a copy of golden records and their identifiers equal to Concord's, by the change feed alone.

    python docs/consumer.py http://127.0.0.1:8000 COPY.sqlite        (the key in CONCORD_KEY)

It needs nothing beyond Python. What it relies on, and what you should keep when you write your own:

1. The position is stored in the transaction of its effect. Whatever kills it, it goes on where its copy is.
2. An event says which golden record changed, not what it is now: that is read, and written over what the copy has. Twice does no harm.
3. A merged id keeps its row and points at its survivor, perhaps over several steps; whoever asks follows them.
4. An epoch that ended (410) means that the source was restored: the copy is made anew.
"""

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

Get = Callable[[str], tuple[int, Any]]  # an address -> status, JSON
PAGE = 500
GONE, NOT_FOUND, OK = 410, 404, 200

TABLES = """
create table if not exists golden (id text primary key, domain text, status text, merged_into text, version integer);
create table if not exists identifier (golden_id text, system text, value text, status text, valid_from text, valid_to text);
create index if not exists identifier_golden on identifier (golden_id);
create table if not exists place (position text);
"""


def open_copy(path: str) -> sqlite3.Connection:
    copy = sqlite3.connect(path)
    copy.executescript(TABLES)
    return copy


def catch_up(copy: sqlite3.Connection, get: Get) -> None:
    """Read until there is nothing more."""
    while step(copy, get):
        pass


def step(copy: sqlite3.Connection, get: Get, wait: int = 0) -> bool:
    """One page; whether the position moved."""
    before = position(copy)
    after = "" if before is None else f"&after={before}"
    status, page = get(f"/v1/changes?limit={PAGE}&wait={wait}{after}")
    if status == GONE:
        with copy:
            forget(copy)
        return True
    if status != OK:
        raise RuntimeError(f"the change feed answers {status}")
    # The last event of each golden record stands for those before it: all of them would read the same present.
    last = {event["subject"]: event for event in page["events"] if "href" in event}
    effects = [effect(event, get) for event in last.values()]
    with copy:
        for each in effects:
            each(copy)
        copy.execute("delete from place")
        copy.execute("insert into place values (?)", (page["next"],))
    return page["next"] != before


def position(copy: sqlite3.Connection) -> str | None:
    row = copy.execute("select position from place").fetchone()
    return None if row is None else row[0]


def forget(copy: sqlite3.Connection) -> None:
    for table in ("golden", "identifier", "place"):
        copy.execute(f"delete from {table}")


def effect(event: dict[str, Any], get: Get) -> Callable[[sqlite3.Connection], None]:
    """What an event means for the copy: read now, written later, in one transaction with the position."""
    golden_id, domain = event["subject"], event["domain"]
    if event["type"] == "mdm.golden.merged":
        return lambda copy: put(copy, (golden_id, domain, "merged", event["data"]["into"], None), ())
    status, view = get(event["href"])
    if status == NOT_FOUND:  # out of this reader's scope by now
        return lambda copy: drop(copy, golden_id)
    if status != OK:
        raise RuntimeError(f"a golden record answers {status}")
    if view["id"] != golden_id:  # merged since; into whom exactly says its event, which is still to come or came before
        return lambda copy: keep_merged(copy, (golden_id, domain, "merged", view["id"], None))
    row = (golden_id, domain, view["status"], None, view["version"])
    return lambda copy: put(copy, row, view["identifiers"])


def put(copy: sqlite3.Connection, row: tuple[Any, ...], identifiers: Any) -> None:
    drop(copy, row[0])
    copy.execute("insert into golden values (?, ?, ?, ?, ?)", row)
    names = ("system", "value", "status", "valid_from", "valid_to")
    held = [(row[0], *(each.get(name) for name in names)) for each in identifiers]
    copy.executemany("insert into identifier values (?, ?, ?, ?, ?, ?)", held)


def keep_merged(copy: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    known = copy.execute("select merged_into from golden where id = ?", (row[0],)).fetchone()
    if known is None or known[0] is None:
        put(copy, row, ())


def drop(copy: sqlite3.Connection, golden_id: str) -> None:
    copy.execute("delete from golden where id = ?", (golden_id,))
    copy.execute("delete from identifier where golden_id = ?", (golden_id,))


def survivor(copy: sqlite3.Connection, golden_id: str) -> str:
    """The id that answers for this one."""
    row = copy.execute("select merged_into from golden where id = ?", (golden_id,)).fetchone()
    return golden_id if row is None or row[0] is None else survivor(copy, row[0])


def reader(url: str, key: str) -> Get:
    """GET with a key."""

    def get(address: str) -> tuple[int, Any]:
        asked = Request(url + address, headers={"Authorization": f"Bearer {key}"})
        try:
            with urlopen(asked, timeout=30) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, None

    return get


def main() -> None:
    url, path = sys.argv[1:]
    copy, get = open_copy(path), reader(url, os.environ["CONCORD_KEY"])
    while True:
        started = time.monotonic()
        moved = step(copy, get, wait=20)
        if not moved and time.monotonic() - started < 1:  # as many wait already as the server lets wait
            time.sleep(1)


if __name__ == "__main__":
    main()
