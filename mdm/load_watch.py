"""A folder into which a system drops files: each is planned and applied in the order of names, until a guard rail stops it.

A file is taken once it has not changed between two looks. Done, it lies in `done`, its rejected rows in `rejects`; what stopped the watch
lies in `stopped`, and nothing after it is taken: a person looks first.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mdm import loads
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, DatabaseError
from mdm.errors import ConcordError, Conflict, UnusableInput
from mdm.load_follow import follow
from mdm.load_rejected import rejects_csv
from mdm.load_upload import Upload, upload
from mdm.loads import Applying, LoadView
from mdm.settings import Settings

REQUEST_ID = "watch"
REASON = "dropped into a watched folder"
_FOLDERS = ("done", "rejects", "stopped")


class WatchStopped(Conflict):
    """An earlier file stopped the watch: look at it, and take it out of `stopped`."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one file; `stopped` says why the watch ends with it."""

    name: str
    load_id: str
    counts: Mapping[str, int]
    stopped: str | None = None


@dataclass(frozen=True, slots=True)
class Watch:
    """Where files are dropped, and how each is loaded; its content and name are filled in."""

    folder: Path
    every_seconds: float
    how: Upload
    once: bool = False


def watch(database: Database, settings: Settings, asked: Watch, tell: Callable[[Taken], None]) -> bool:
    """Take what comes, until told to end (or, `once`, until nothing is left); False when something stopped it.

    Raises WatchStopped while what stopped an earlier one lies there still: a timer that begins anew is nobody who has looked.
    """
    if not asked.folder.is_dir():
        raise UnusableInput(f"{asked.folder} is no folder")
    for name in _FOLDERS:
        (asked.folder / name).mkdir(exist_ok=True)
    stopped = sorted(_look(asked.folder / "stopped"))
    if stopped:
        raise WatchStopped(f"{WatchStopped().message} There lies {', '.join(stopped)}.")
    seen: dict[str, tuple[int, int]] = {}
    while True:
        now = _look(asked.folder)
        ready = [name for name, facts in sorted(now.items()) if seen.get(name) == facts]
        if asked.once and not now:
            return True
        for name in ready:
            taken = _take(database, settings, asked, name)
            tell(taken)
            if taken.stopped is not None:
                return False
        seen = now
        time.sleep(asked.every_seconds)


def _look(folder: Path) -> dict[str, tuple[int, int]]:
    """Files that may be taken, with size and time: one that is still being written changes."""
    found = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".") and path.suffix != ".part"]
    return {path.name: (facts.st_size, facts.st_mtime_ns) for path in found for facts in [path.stat()]}


def _take(database: Database, settings: Settings, asked: Watch, name: str) -> Taken:
    path = asked.folder / name
    try:
        view = _loaded(database, settings, asked, path)
    except ConcordError as error:
        _move(path, asked.folder / "stopped")
        return Taken(name, "", {}, "; ".join([error.message, *(problem.message for problem in error.problems)]))
    except DatabaseError as error:
        _move(path, asked.folder / "stopped")
        return Taken(name, "", {}, f"the database refused it: {error}")
    why = _stopped(view)
    counts = view.applied or view.counts or {}
    if counts.get("rejected"):
        content = database.run(lambda session: rejects_csv(session, SYSTEM_ACTOR, view.id))
        _write(asked.folder / "rejects", f"{path.stem}.csv", content)
    _move(path, asked.folder / ("done" if why is None else "stopped"))
    return Taken(name, str(view.id), counts, why)


def _move(path: Path, folder: Path) -> None:
    path.rename(_free(folder, path.name))


def _write(folder: Path, name: str, content: bytes) -> None:
    """For nobody else's eyes: the rows may be patients'."""
    place = _free(folder, name)
    place.touch(mode=0o600, exist_ok=False)
    place.write_bytes(content)


def _free(folder: Path, name: str) -> Path:
    """A place under this name, or under the next one where yesterday's file lies: a system that always says `people.csv` loses none."""
    found, number = folder / name, 1
    while found.exists():
        number += 1
        found = folder / f"{Path(name).stem}.{number}{Path(name).suffix}"
    return found


def _loaded(database: Database, settings: Settings, asked: Watch, path: Path) -> LoadView:
    with path.open("rb") as content:
        given = replace(asked.how, content=content, name=path.name)
        load_id = upload(database, settings.home, SYSTEM_ACTOR, given, REQUEST_ID).id
    view = _done(database, settings, database.run(lambda session: loads.ask_plan(session, SYSTEM_ACTOR, load_id, REQUEST_ID)))
    if view.same_as is not None or view.plan_id is None or _stopped(view) is not None:
        return view
    plan_id, how = view.plan_id, Applying(settings.load_approval_rows, reason=REASON)
    return _done(database, settings, database.run(lambda session: loads.ask_apply(session, SYSTEM_ACTOR, plan_id, how, REQUEST_ID)))


def _done(database: Database, settings: Settings, view: LoadView) -> LoadView:
    if view.job_id is not None:
        follow(database, settings, view.job_id, quiet=True)
    return database.run(lambda session: loads.get(session, SYSTEM_ACTOR, view.id))


def _stopped(view: LoadView) -> str | None:
    """Why a person has to look before anything further is taken."""
    job, plan = view.job or {}, view.plan or {}
    rails = plan.get("report", {}).get("guard_rails", ())
    if job.get("state") != "done":
        return f"the job ended: {job.get('error') or job.get('state')}"
    if rails:
        return "; ".join(f"{rail['code']}: {rail['message']}" for rail in rails)
    return "a second person has to agree" if view.asked_by is not None and view.approved_by is None else None
