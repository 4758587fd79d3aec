"""`mdm match train | models | activate`: the models of the domains, on the installation's own data."""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mdm.cli_shared import current_database, domain
from mdm.errors import UnusableInput
from mdm.settings import Settings

if TYPE_CHECKING:  # see mdm.cli: a command imports what it needs
    from datetime import datetime

    from matching.bulk import Room
    from mdm.learning import Effect
    from mdm.model_versions import ModelLine

_COLUMNS = ("domain", "version", "active", "created", "activated_by", "activated_at", "metrics", "data")


def add_commands(commands: Any) -> None:
    """Add the commands to the sub-parsers of `mdm match`."""
    train = _command(commands.add_parser("train", help="learn a new version from what is stored; it is not used until activated"), _train)
    train.add_argument("--domain", required=True, metavar="D")
    _command(commands.add_parser("models", help="the versions of every domain"), _models)
    activate = _command(commands.add_parser("activate", help="show what a version would change, then use it"), _activate)
    activate.add_argument("version", metavar="VERSION")
    activate.add_argument("--yes", action="store_true", help="do not ask")
    activate.add_argument("--dry-run", action="store_true", help="only show what would change")


def _command(parser: ArgumentParser, command: Callable[[Settings, Namespace], int | None]) -> ArgumentParser:
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.set_defaults(command=command)
    return parser


def _train(settings: Settings, asked: Namespace) -> int:
    from mdm.access import SYSTEM_ACTOR
    from mdm.learning import learn

    entity = domain(asked.domain)
    with current_database(settings) as database:
        learned = learn(database, entity, SYSTEM_ACTOR, _room(settings))
    if asked.json:
        print(json.dumps(asdict(learned), indent=2, default=str))
    elif learned.version is None:
        print(f"nothing changed: {learned.reason}")
    else:
        print(f"{learned.version}: {learned.records:,} records, {learned.pairs:,} pairs, {learned.labels:,} judged by people")
        print(f"see its effect and use it: mdm match activate {learned.version}")
    return 0 if learned.version else 1


def _models(settings: Settings, asked: Namespace) -> None:
    from mdm.entities import ENTITY_TYPES
    from mdm.model_versions import activations, models

    with current_database(settings) as database:
        stored, used = database.run(models), database.run(activations)
    active = {line.domain for line in stored if line.active}
    lines = [_line(each, used.get((each.domain, each.version))) for each in stored]
    declared = {name: entity.model.version for name, entity in ENTITY_TYPES.items()}
    lines += [_declared(name, version, used.get((name, version)), is_active=name not in active) for name, version in declared.items()]
    if asked.json:
        print(json.dumps(lines, indent=2, default=str))
        return
    for line in sorted(lines, key=lambda each: (each["domain"], each["version"])):
        print("\n".join(_line_text(line)))


def _line(model: "ModelLine", used_at: "datetime | None") -> dict[str, Any]:
    metrics = {name: told for name, told in model.metrics.items() if name != "data"}
    values = (str(model.created_at or ""), model.activated_by or "", used_at, metrics, model.metrics.get("data"))
    return dict(zip(_COLUMNS, (model.domain, model.version, model.active, *values), strict=True))


def _declared(domain: str, version: str, used_at: "datetime | None", *, is_active: bool) -> dict[str, Any]:
    return dict(zip(_COLUMNS, (domain, version, is_active, "declared", "", used_at, {}, None), strict=True))


def _line_text(line: Mapping[str, Any]) -> list[str]:
    """One line each, and below it what a version was measured by and learned from."""
    used = f"{line['activated_by']} {line['activated_at'] or ''}".strip()
    lines = [f"{line['domain']:<14} {line['version']:<24} {'in use' if line['active'] else '':<7} {line['created']:<33} {used}".rstrip()]
    told = ", ".join(f"{name} {value}" for name, value in line["metrics"].items() if not isinstance(value, dict | list))
    lines += [f"{'':<14} metrics {told}"] if told else []
    return lines + ([f"{'':<14} data    {line['data']}"] if line["data"] else [])


def _activate(settings: Settings, asked: Namespace) -> int:
    from mdm.access import SYSTEM_ACTOR
    from mdm.entities import ENTITY_TYPES
    from mdm.learning import effect_of
    from mdm.model_versions import activate, find_model

    with current_database(settings) as database:
        entity, model = database.run(lambda session: find_model(session, ENTITY_TYPES, asked.version))
        effect = effect_of(database, entity, model, _room(settings))
        _show(effect, as_json=asked.json)
        if asked.dry_run or not (asked.yes or _is_wanted()):
            return 0 if asked.dry_run else 1
        database.run(lambda session: activate(session, entity, model, SYSTEM_ACTOR))
    if not asked.json:
        print(f"{asked.version} is in use; stored records are matched again in the background")
    return 0


def _show(effect: "Effect", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(effect), indent=2))
        return
    print(f"{effect.version} instead of {effect.replaces}, over {effect.records:,} stored {effect.domain} records:")
    print(f"  pairs of records joined   {effect.pairs_gained:,} more, {effect.pairs_lost:,} fewer (a person is asked before any is parted)")
    before, after = effect.golden_records_before, effect.golden_records_after
    print(f"  golden records            {before:,} -> {after:,}, {effect.clusters_changed:,} changed")
    print(f"  pairs to review           {effect.reviews_before:,} -> {effect.reviews_after:,}")
    print(f"  false links, by the model {effect.estimated_false_links:,}")


def _is_wanted() -> bool:
    if not sys.stdin.isatty():
        raise UnusableInput("say --yes to use this version, or --dry-run to look only")
    return input("Use it? [y/N] ").strip().lower() in {"y", "yes"}


def _room(settings: Settings) -> "Room":
    from matching.bulk import Room

    return Room(f"{settings.match_memory_gb}GB")
