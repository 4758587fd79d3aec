"""`mdm repair`: what the doctor names a remedy for. Each may run beside deliveries and stewards, and once more after it was interrupted."""

import json
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mdm.cli_shared import current_database, domain
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from mdm.db import Database
    from mdm.entity import EntityType
    from mdm.old_records import Step

_TOLD_EVERY = 5.0  # seconds


def add_parser(commands: Any) -> None:
    what = commands.add_parser("repair", help="what the doctor names a remedy for").add_subparsers(required=True, metavar="WHAT")
    what.add_parser("keys", help="records of before keys were kept without outer blanks").set_defaults(command=_keys)
    what.add_parser("words", help="words of searches, after another attribute is searchable").set_defaults(command=_words)
    records = what.add_parser("records", help="records that an earlier version read otherwise than this one would")
    records.add_argument("--domain", action="append", metavar="D", help="only this domain; may be repeated")
    records.add_argument("--dry-run", action="store_true", help="count them, change nothing")
    records.add_argument("--json", action="store_true", help="one JSON document")
    records.set_defaults(command=_records)


def _keys(settings: Settings, _: Namespace) -> None:
    from mdm import old_keys

    with current_database(settings) as found:
        done = old_keys.repair(found)
    print(f"{done.renamed} renamed, {done.withdrawn} withdrawn: their system has delivered the key anew since")


def _words(settings: Settings, _: Namespace) -> None:
    from mdm import old_words

    with current_database(settings) as found:
        print(f"{old_words.repair(found)} golden records are found by other words now")


def _records(settings: Settings, asked: Namespace) -> None:
    from mdm.entities import ENTITY_TYPES

    entities = [domain(name) for name in asked.domain or ENTITY_TYPES]
    with current_database(settings) as found:
        told = [_of_domain(found, entity, asked) for entity in entities]
    if asked.json:
        print(json.dumps({"changed": not asked.dry_run, "domains": [asdict(step) for step in told]}, indent=2))


def _of_domain(database: "Database", entity: "EntityType", asked: Namespace) -> "Step":
    """How it ended; on the way now and then a line on standard error, for a million records take their time."""
    from mdm import old_records

    step, said = old_records.Step(entity.name), time.monotonic()
    done = "to be read anew" if asked.dry_run else "read anew"
    for step in old_records.repair(database, entity, changes=not asked.dry_run):
        if time.monotonic() - said > _TOLD_EVERY:
            said = time.monotonic()
            print(f"{entity.name}: {step.looked_at} looked at so far, {step.old} {done}", file=sys.stderr, flush=True)
    if not asked.json:
        refused = f", {step.refused} would be refused today and stay as they are" if step.refused else ""
        print(f"{entity.name}: {step.looked_at} records looked at, {step.old} {done}{refused}", flush=True)
    return step
