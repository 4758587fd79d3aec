"""`mdm load`: a file planned, applied, undone. Without a running worker the command does the job itself; beside one it waits for it.

Status 0: done. 1: refused, or the job failed; others as in `mdm.cli_refusals`. 130: interrupted; asked again, the job is gone on with.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from mdm.cli_load_files import REQUEST_ID, add_reading, ask_plan, reading, to_plan
from mdm.cli_refusals import RAIL, Command, SecondNeeded, refusing
from mdm.cli_shared import current_database, domain
from mdm.errors import UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from sqlalchemy.orm import Session

    from mdm.access import Actor
    from mdm.db import Database
    from mdm.loads import LoadView

REASON = "from the command line"
GOING_SHOWN = 20  # of what reverts; with --json, as many as the preview lists


def add_parser(commands: Any) -> None:
    """Add `load` to the sub-parsers of `mdm`."""
    load = commands.add_parser("load", help="load files of a system: plan, apply, undo")
    below = load.add_subparsers(required=True, metavar="COMMAND")
    plan = _command(
        below, "plan", _plan, "FILE", "what a file, or a folder with a manifest, would change; changes nothing. A load's id plans it again"
    )
    add_reading(plan)
    apply = _command(below, "apply", _apply, "PLAN", "apply a plan")
    apply.add_argument("--wave", metavar="ATTRIBUTE=VALUE", action="append", default=[], help="only rows with this value; the others wait")
    apply.add_argument("--despite", metavar="CODE", action="append", default=[], help="a guard rail that you have looked at")
    apply.add_argument("--reason", metavar="TEXT", default=REASON, help=f"why, for the audit; name no patient ({REASON})")
    apply.add_argument("--second", metavar="NAME", help="who agrees as the second person, where one is needed")
    undo = _command(below, "undo", _undo, "LOAD", "take a load back")
    undo.add_argument("--preview", action="store_true", help="say what would revert and what would stay, and change nothing")
    undo.add_argument("--reason", metavar="TEXT", default=REASON, help=f"why, for the audit; name no patient ({REASON})")
    undo.add_argument("--second", metavar="NAME", help="who agrees as the second person, where one is needed")
    watch = _command(below, "watch", _watch, "FOLDER", "load what is dropped into a folder, until a guard rail stops it")
    add_reading(watch)
    watch.add_argument("--every", type=float, default=10.0, metavar="SECONDS", help="how often to look (10)")
    watch.add_argument("--once", action="store_true", help="end when nothing is left, for a system timer")
    _command(below, "status", _status, "LOAD", "a load, its plan, its job")
    _command(below, "report", _report, "LOAD", "the sign-off report as a web page, on standard output")
    blank = below.add_parser("template", help="a blank workbook for a domain, to be filled in")
    blank.add_argument("what", metavar="FILE", help="where to write it, such as patients.xlsx")
    blank.add_argument("--domain", required=True, metavar="D")
    blank.set_defaults(command=refusing(_template))
    _command(below, "withdraw", _withdraw, "LOAD", "no longer ask to apply or undo a load, while no second person has agreed")
    _command(below, "rejects", _rejects, "LOAD", "the rejected rows as CSV, to be corrected and loaded again")


def _command(below: Any, name: str, command: Command, what: str, help_text: str) -> ArgumentParser:
    made: ArgumentParser = below.add_parser(name, help=help_text)
    made.add_argument("what", metavar=what)
    made.add_argument("--json", action="store_true", help="one JSON document")
    made.set_defaults(command=refusing(command))
    return made


def _plan(settings: Settings, asked: Namespace) -> int:
    views = []
    with current_database(settings) as database:
        for load_id in to_plan(database, settings, asked):
            views.append(_follow(database, settings, ask_plan(database, settings, load_id, asked), asked))
            if not asked.json:
                print("\n".join(_plan_lines(views[-1])))
    if asked.json:
        documents = [_plan_document(view) for view in views]
        _print_json({"loads": documents} if Path(asked.what).is_dir() else documents[0])
    return max(_plan_status(view) for view in views)


def _watch(settings: Settings, asked: Namespace) -> int:
    import io

    from mdm.load_upload import Upload
    from mdm.load_watch import Taken, Watch, watch

    if asked.domain is None or asked.system is None:
        raise UnusableInput("say --domain D and --system S")
    how = Upload(domain(asked.domain), asked.system, io.BytesIO(), "", *reading(asked))

    def tell(taken: Taken) -> None:
        if asked.json:
            print(json.dumps(asdict(taken), default=str), flush=True)
            return
        counts = ", ".join(f"{count:,} {name}" for name, count in taken.counts.items() if count)
        print(f"{taken.name}: {counts}" if taken.stopped is None else f"{taken.name}: stopped: {taken.stopped}", flush=True)

    with current_database(settings) as database:
        return 0 if watch(database, settings, Watch(Path(asked.what), asked.every, how, asked.once), tell) else RAIL


def _plan_status(view: "LoadView") -> int:
    if view.plan is None or view.plan["state"] not in {"ready", "blocked"}:
        return 1
    return RAIL if view.plan["state"] == "blocked" else 0


def _apply(settings: Settings, asked: Namespace) -> int:
    from mdm import loads

    plan_id, wave = _id(asked.what, "PLAN"), _wave(asked.wave)
    how = loads.Applying(settings.load_approval_rows, wave, tuple(asked.despite), asked.reason)
    with current_database(settings) as database:
        view = _asked_by_two(database, asked, lambda session, actor: loads.ask_apply(session, actor, plan_id, how, REQUEST_ID))
        view = _follow(database, settings, view, asked)
    document = {
        "load_id": str(view.id),
        "plan_id": str(plan_id),
        "counts": view.applied,
        "seconds": view.seconds.get("apply"),
        "status": view.status,
    }
    _print(view, asked, document, _applied_lines(view))
    return 0 if view.applied is not None and (view.job or {}).get("state") == "done" else 1


def _asked_by_two(database: "Database", asked: Namespace, ask: Callable[[Any, Any], "LoadView"]) -> "LoadView":
    """Whoever has the command line, and the second person that they name. Raises SecondNeeded while nobody has agreed."""
    from mdm.access import SYSTEM_ACTOR

    second = None if asked.second is None else database.run(lambda session: _second(session, asked.second))
    view = database.run(lambda session: ask(session, SYSTEM_ACTOR))
    if _waits(view) and second is not None:
        view = database.run(lambda session: ask(session, second))
    if _waits(view):
        raise SecondNeeded(f"{SecondNeeded().message} {view.asked_by} has asked.")
    return view


def _second(session: "Session", name: str) -> "Actor":
    """Somebody who works here, and may load; loads that they may not see do not exist for them."""
    from mdm.access import SYSTEM_ACTOR, Verb, named
    from mdm.policy import can

    found = named(session, name)
    if found is None or found.name == SYSTEM_ACTOR.name or not can(found, Verb.LOAD):
        raise UnusableInput("--second takes the name of a person or client that is there, not disabled, and may load")
    return found


def _waits(view: "LoadView") -> bool:
    is_under_way = (view.job or {}).get("state") in {"queued", "running"}
    return view.asked_by is not None and view.approved_by is None and not is_under_way


def _wave(given: list[str]) -> Mapping[str, str] | None:
    pairs = [text.partition("=") for text in given]
    if any(not sign or not name for name, sign, _ in pairs):
        raise UnusableInput("--wave takes ATTRIBUTE=VALUE")
    return {name: value for name, _, value in pairs} or None


def _undo(settings: Settings, asked: Namespace) -> int:
    from mdm import loads

    load_id = _id(asked.what, "LOAD")
    with current_database(settings) as database:
        if asked.preview:
            return _preview(database, load_id, asked)
        how = loads.Undoing(settings.load_approval_rows, asked.reason)
        view = _asked_by_two(database, asked, lambda session, actor: loads.ask_undo(session, actor, load_id, how, REQUEST_ID))
        view = _follow(database, settings, view, asked)
    told = (view.plan or {}).get("report", {}).get("undo", {})
    document = {
        "load_id": str(view.id),
        "counts": told.get("counts"),
        "kept": told.get("kept"),
        "seconds": view.seconds.get("undo"),
        "status": view.status,
    }
    _print(view, asked, document, _undo_lines(told))
    return 0 if view.status == "undone" else 1


def _preview(database: "Database", load_id: UUID, asked: Namespace) -> int:
    from mdm.access import SYSTEM_ACTOR
    from mdm.load_outlook import preview

    told = asdict(database.run(lambda session: preview(session, SYSTEM_ACTOR, load_id)))
    if asked.json:
        _print_json({"load_id": str(load_id), **told})
    else:
        print("\n".join(_undo_lines(told)))
    return 0


def _status(settings: Settings, asked: Namespace) -> None:
    from mdm import loads
    from mdm.access import SYSTEM_ACTOR

    load_id = _id(asked.what, "LOAD")
    with current_database(settings) as database:
        view = database.run(lambda session: loads.get(session, SYSTEM_ACTOR, load_id))
    _print(view, asked, {"load_id": str(view.id), **asdict(view)}, _status_lines(view))


def _withdraw(settings: Settings, asked: Namespace) -> None:
    from mdm import loads
    from mdm.access import SYSTEM_ACTOR

    load_id = _id(asked.what, "LOAD")
    with current_database(settings) as database:
        view = database.run(lambda session: loads.withdraw_request(session, SYSTEM_ACTOR, load_id, REQUEST_ID))
    _print(view, asked, {"load_id": str(view.id), "status": view.status, "asked_by": view.asked_by}, _status_lines(view))


def _report(settings: Settings, asked: Namespace) -> None:
    from mdm.access import SYSTEM_ACTOR
    from mdm.load_signoff import sign_off

    load_id = _id(asked.what, "LOAD")
    with current_database(settings) as database:
        report = database.run(lambda session: sign_off(session, SYSTEM_ACTOR, load_id))
    if asked.json:
        _print_json(report.as_json())
    else:
        print(report.as_html())


def _template(_: Settings, asked: Namespace) -> None:
    from mdm.load_template import blank_template

    Path(asked.what).write_bytes(blank_template(domain(asked.domain)))
    print(f"{asked.what}: fill it in and plan it with mdm load plan {asked.what} --domain {asked.domain} --system S")


def _rejects(settings: Settings, asked: Namespace) -> None:
    from mdm.access import SYSTEM_ACTOR
    from mdm.load_rejected import rejected_rows, rejects_csv

    load_id = _id(asked.what, "LOAD")
    with current_database(settings) as database:
        if asked.json:
            found = database.run(lambda session: rejected_rows(session, SYSTEM_ACTOR, load_id))
            _print_json({"load_id": str(load_id), "header": found.header, "rejects": [asdict(row) for row in found.rows]})
            return
        content = database.run(lambda session: rejects_csv(session, SYSTEM_ACTOR, load_id))
    sys.stdout.flush()
    sys.stdout.buffer.write(content)


def _follow(database: "Database", settings: Settings, view: "LoadView", asked: Namespace) -> "LoadView":
    """Do the job of this load, or wait for whoever does it; then the load as it is by then."""
    from mdm import loads
    from mdm.access import SYSTEM_ACTOR
    from mdm.load_follow import follow

    if view.job_id is not None:
        follow(database, settings, view.job_id, quiet=asked.json)
    return database.run(lambda session: loads.get(session, SYSTEM_ACTOR, view.id))


def _id(text: str, what: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise UnusableInput(f"{what} must be an id, as `mdm load plan` prints it") from None


def _plan_document(view: "LoadView") -> dict[str, Any]:
    plan = view.plan or {}
    report = plan.get("report", {})
    return {
        "load_id": str(view.id),
        "plan_id": None if view.plan_id is None else str(view.plan_id),
        "counts": view.counts,
        "state": plan.get("state"),
        "same_as": None if view.same_as is None else str(view.same_as),
        "fingerprint": plan.get("fingerprint"),
        **{name: value for name, value in report.items() if name not in {"samples", "header"}},
    }


def _plan_lines(view: "LoadView") -> list[str]:
    if view.same_as is not None:
        return [f"same as load {view.same_as}, nothing to do"]
    report = (view.plan or {}).get("report", {})
    lines = [f"load       {view.id}", f"plan       {view.plan_id}"]
    lines += [f"{name:<10} {count:>10,}" for name, count in (view.counts or {}).items()]
    lines += [f"guard rail {rail['code']}: {rail['message']} ({rail['count']:,})" for rail in report.get("guard_rails", ())]
    lines += [f"reject     {each['code']} {each['column']}: {each['rows']:,} rows" for each in report.get("rejects", ())]
    lines += [
        f"changed    {each['was']} -> {each['is']}: {each['rows']:,} rows" for each in (report.get("difference") or {}).get("rows", ())
    ]
    if "steward_hours" in report:
        lines.append(f"stewards   about {report['steward_hours']} hours of reviews")
    lines.append(f"apply with mdm load apply {view.plan_id}" if _has_work(view) else "nothing to apply")
    return lines


def _has_work(view: "LoadView") -> bool:
    return any((view.counts or {}).get(name, 0) for name in ("new", "linked", "review", "updated"))


def _applied_lines(view: "LoadView") -> list[str]:
    counts = view.applied or {}
    return [f"{name:<10} {count:>10,}" for name, count in counts.items()] + [f"undo with  mdm load undo {view.id}"]


def _undo_lines(told: Mapping[str, Any]) -> list[str]:
    lines = [f"{name:<10} {count:>10,}" for name, count in told.get("counts", {}).items()]
    lines += [f"{each['what']:<10} row {each['row']} of {each['golden_id']}" for each in told.get("going", ())[:GOING_SHOWN]]
    lines += [f"stays      row {each['row']}: {each['why']}" for each in told.get("kept", ())]
    lines += [_split_line(each) for each in told.get("splits", ())]
    return lines + [
        f"warning    row {each['row']}: withdrawn, though load {each['load_id']} said the same again" for each in told.get("repeated", ())
    ]


def _split_line(split: Mapping[str, Any]) -> str:
    loses = f"{split['withdrawn']} withdrawn, {split['returned']} returned, of {split['records']} records"
    merges = ", ".join(f"{each['decision_id']} by {each['by']}" for each in split["merges"])
    return f"splits     {split['golden_id']}: {loses}" + (f"; merged since: {merges}" if merges else "")


def _status_lines(view: "LoadView") -> list[str]:
    job = view.job or {}
    lines = [f"{view.domain} of {view.system}: {view.name}", f"status     {view.status}"]
    if job:
        lines.append(f"job        {job['kind']} {job['state']} {job['error'] or ''}".rstrip())
    if view.applied is None and view.status == "applying":
        lines.append("as planned; how far it is, the job tells:")
    lines += [f"{name:<10} {count:>10,}" for name, count in (view.applied or view.counts or {}).items()]
    return lines


def _print(view: "LoadView", asked: Namespace, document: Mapping[str, Any], lines: list[str]) -> None:
    failed = (view.job or {}).get("error") if (view.job or {}).get("state") in {"failed", "quarantined", "cancelled"} else None
    if asked.json:
        _print_json({**document, **({"error": failed} if failed else {})})
        return
    print("\n".join(lines if failed is None else [f"the job ended: {failed}"]))


def _print_json(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, indent=2, default=str))
