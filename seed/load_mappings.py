"""The demo world's mapping sets through the services that people use: written as drafts by one, approved by another, released."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from uuid import UUID

from mdm.access import SYSTEM_ACTOR, Actor, Role
from mdm.db import Database
from mdm.mapping import RULES_MAX, Given, NewRule, RuleView, write_drafts
from mdm.mapping_approval import approve, retire
from mdm.mapping_releases import release
from mdm.mapping_sets import By, Definition, Input, Output, get_set, has_set, put_set
from seed.delivery import MappingRow
from seed.mappings import CHARGES, POSTING, REMIT_TO
from seed.world import World

REQUEST_ID = "seed"
AUTHOR = Actor(UUID(int=1), "mapping-desk", Role.STEWARD)
APPROVER = Actor(UUID(int=2), "finance-lead", Role.STEWARD)
SETS = {
    POSTING: Definition(
        "Where a department's charges are posted",
        (Input("department", "department", required=True), Input("payer_class")),
        (Output("cost_center", "cost_center", "erp-north"), Output("account", "account", "erp-north")),
        ("department", "payer_class"),
        owner="Group finance",
    ),
    CHARGES: Definition(
        "Charge codes of items and procedures",
        (Input("item", "item"), Input("procedure"), Input("department", "department"), Input("payer", "payer")),
        (Output("charge_code"),),
        ("item", "procedure", "payer", "department"),
        owner="Charge integrity",
    ),
    REMIT_TO: Definition(
        "Where a supplier is paid",
        (Input("supplier_site", "supplier", required=True), Input("document_kind")),
        (Output("remit_to", "supplier", "erp-north"),),
        ("supplier_site", "document_kind"),
        owner="Accounts payable",
    ),
}


def load_mappings(database: Database, world: World) -> None:
    """Make the sets, write the rules of what the world holds, approve and release them. Nothing where they are there already."""
    known = {(one.domain, one.system, one.key) for one in world.deliveries}
    for code, definition in SETS.items():
        rows = [row for row in world.mappings if row.set == code and _references(definition, row) <= known]
        with database.unit_of_work() as session:
            if has_set(session, code):
                continue
            put_set(session, _by(SYSTEM_ACTOR), code, definition, if_match=None)
        _load_rules(database, code, rows)


def _by(actor: Actor) -> By:
    return By(actor, REQUEST_ID, date(2026, 7, 1))


def _references(definition: Definition, row: MappingRow) -> set[tuple[str, str, str]]:
    """The records that a rule speaks of, by domain, system and key."""
    domains = {each.name: each.domain or "" for each in definition.inputs}
    found = {(domains[name], *given) for name, given in row.inputs.items() if not isinstance(given, str)}
    for output in definition.outputs:
        if output.domain is not None and output.system is not None:
            found |= {(output.domain, output.system, values[output.name]) for _, values in row.splits}
    return found


def _load_rules(database: Database, code: str, rows: Sequence[MappingRow]) -> None:
    drafts: list[RuleView] = []
    for start in range(0, len(rows), RULES_MAX):
        chunk = [_new_rule(row) for row in rows[start : start + RULES_MAX]]
        with database.unit_of_work() as session:
            drafts += write_drafts(session, _by(AUTHOR), code, chunk)
    with database.unit_of_work() as session:
        for double in _doubles(drafts):
            retire(session, _by(AUTHOR), code, double.id, if_match=double.version, reason="means the same record as another rule")
        approve(session, _by(APPROVER), code, None, if_match=get_set(session, code).revision)
        release(session, _by(APPROVER), code, if_match=get_set(session, code).revision, note="First release")


def _new_rule(row: MappingRow) -> NewRule:
    conditions: dict[str, Given] = {
        name: given if isinstance(given, str) else {"system": given[0], "value": given[1]} for name, given in row.inputs.items()
    }
    return NewRule(conditions, row.splits, row.valid_from, row.valid_to)


def _doubles(drafts: Iterable[RuleView]) -> Iterator[RuleView]:
    """Drafts about a record that turned out to be another draft's: two local keys, one golden record, one time."""
    seen: dict[tuple[tuple[str, str], ...], list[RuleView]] = {}
    for draft in drafts:
        alike = seen.setdefault(tuple(sorted(draft.conditions.items())), [])
        if any(_meet(draft, other) for other in alike):
            yield draft
        else:
            alike.append(draft)


def _meet(one: RuleView, other: RuleView) -> bool:
    begin = max(one.valid_from or date.min, other.valid_from or date.min)
    return begin <= min(one.valid_to or date.max, other.valid_to or date.max)
