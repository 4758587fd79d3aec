"""The registry: which systems speak, which identifier systems there are, and by which names. No system is ever made on the fly."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from sqlalchemy.orm import Session

from mdm.db import Row, address, execute, fetch
from mdm.errors import FieldProblem, Invalid, NotFound
from mdm.identifier_systems import BY_CODE, IDENTIFIER_SYSTEMS
from mdm.values import BY_NAME
from mdm.values.kind import ValueType
from mdm.values.text import TEXT

SYSTEM_KINDS = ("ehr", "billing", "erp", "supply_chain", "workforce", "clearinghouse", "registry", "saas")
GOLDEN = "concord"  # our own golden ids, as an identifier system
_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class SystemView:
    """A source system as people see it."""

    code: str
    name: str
    kind: str
    organization: str
    aliases: tuple[tuple[str, str], ...]
    version: int

    def says(self, *, name: str, kind: str, organization: str, aliases: Sequence[tuple[str, str]]) -> bool:
        """Whether it is already as it is to be."""
        return (self.name, self.kind, self.organization, self.aliases) == (name, kind, organization, tuple(sorted(aliases)))


class SystemRegistry:
    """A snapshot of the registry; resolves codes and aliases without a query."""

    def __init__(self, systems: Sequence[tuple[int, str, str, bool]], aliases: Sequence[tuple[str, str]], kinds: dict[str, str]) -> None:
        self.ids = {code: number for number, code, _, _ in systems}
        self.codes = {number: code for number, code, _, _ in systems}
        self._types = {code: value_type for _, code, value_type, _ in systems}
        self._sources = {code for _, code, _, is_source in systems if is_source}
        self._aliases = dict(aliases) | {code: code for code in self.ids}
        self.kinds = kinds
        self.read_at = time.monotonic()

    def resolve(self, name: str) -> str | None:
        return self._aliases.get(name) or self._aliases.get(name.removeprefix("urn:oid:"))

    def value_type(self, code: str) -> ValueType:
        return BY_NAME.get(self._types[code], TEXT)

    def is_source(self, code: str) -> bool:
        return code in self._sources

    def kind(self, code: str) -> str:
        """The kind of a source system ("ehr", "erp" ...), which decides whom survivorship trusts."""
        return self.kinds.get(code, "")


_registries: dict[str, SystemRegistry] = {}


def registry(session: Session) -> SystemRegistry:
    """The registry, at most a second old in this process: an alias added elsewhere works within that time."""
    place = address(session)
    known = _registries.get(place)
    if known is None or time.monotonic() - known.read_at > _FRESH_SECONDS:
        known = _registries[place] = read_registry(session)
    return known


def forget_registry(session: Session) -> None:
    _registries.pop(address(session), None)


def read_registry(session: Session) -> SystemRegistry:
    systems = [(row[0], row[1], row[2], row[3]) for row in fetch(session, "select id, code, value_type, is_source from identifier_system")]
    aliases = [(row[0], row[1]) for row in fetch(session, "select value, system from identifier_alias")]
    kinds = {row[0]: row[1] for row in fetch(session, "select code, kind from system")}
    return SystemRegistry(systems, aliases, kinds)


def put_system(
    session: Session, code: str, *, name: str, kind: str, organization: str, aliases: Sequence[tuple[str, str]] = ()
) -> tuple[SystemView, bool]:
    """Register a source system or change it; True when it is new. Refuses a code that is a standard identifier system's."""
    if kind not in SYSTEM_KINDS:
        raise Invalid(problems=(FieldProblem("unknown_choice", "/kind", f"one of {', '.join(SYSTEM_KINDS)}"),))
    if code in BY_CODE or code == GOLDEN:
        raise Invalid(problems=(FieldProblem("reserved_code", "/code", "this code belongs to a standard identifier system"),))
    if fetch(session, "select 1 from identifier_alias where value = %s and system <> %s", (code, code)):
        raise Invalid(problems=(FieldProblem("alias_taken", "/code", "this code is an alias of another system"),))
    execute(
        session,
        "insert into identifier_system (code, label, value_type, is_source) values (%s, %s, 'text', true)"
        " on conflict (code) do update set label = excluded.label",
        (code, name),
    )
    rows = fetch(
        session,
        "insert into system (code, name, kind, organization) values (%s, %s, %s, %s) on conflict (code) do update"
        " set name = excluded.name, kind = excluded.kind, organization = excluded.organization, version = system.version + 1"
        " returning version",
        (code, name, kind, organization),
    )
    _put_aliases(session, code, aliases)
    forget_registry(session)
    return get_system(session, code), rows[0][0] == 1


def _put_aliases(session: Session, code: str, aliases: Sequence[tuple[str, str]]) -> None:
    execute(session, "delete from identifier_alias where system = %s", (code,))
    for index, (kind, value) in enumerate(aliases):
        taken = fetch(
            session,
            "insert into identifier_alias (kind, value, system) values (%s, %s, %s) on conflict (kind, value) do nothing returning system",
            (kind, value, code),
        )
        # Names are resolved without their kind: no other system may have this one, as its code or as an alias of another kind.
        clash = fetch(
            session,
            "select 1 from identifier_system where code = %(value)s and code <> %(code)s"
            " union all select 1 from identifier_alias where value = %(value)s and system <> %(code)s",
            {"value": value, "code": code},
        )
        if not taken or clash:
            raise Invalid(problems=(FieldProblem("alias_taken", f"/aliases/{index}", "this alias names another system"),))


_VIEW: LiteralString = (
    "select s.code, s.name, s.kind, s.organization, s.version,"
    " coalesce((select jsonb_agg(jsonb_build_array(a.kind, a.value)) from identifier_alias a where a.system = s.code), '[]') from system s "
)


def get_system(session: Session, code: str) -> SystemView:
    found = find_system(session, code)
    if found is None:
        raise NotFound("there is no such system")
    return found


def find_system(session: Session, code: str) -> SystemView | None:
    rows = fetch(session, _VIEW + "where s.code = %s", (code,))
    return _view(rows[0]) if rows else None


def lock_system(session: Session, code: str) -> SystemView | None:
    """As it is now, until this transaction ends."""
    fetch(session, "select 1 from system where code = %s for update", (code,))
    return find_system(session, code)


def list_systems(session: Session) -> list[SystemView]:
    """All of them, by code, in one statement."""
    return [_view(row) for row in fetch(session, _VIEW + "order by s.code")]


def _view(row: Row) -> SystemView:
    code, name, kind, organization, version, aliases = row
    return SystemView(code, name, kind, organization, tuple(sorted((kind_, value) for kind_, value in aliases)), version)


def install_identifier_systems(session: Session) -> None:
    """Write the declared identifier systems and their aliases; run at every migration, changes nothing the second time."""
    insert = (
        "insert into identifier_system (code, label, value_type, sensitivity) values (%s, %s, %s, %s)"
        " on conflict (code) do update set label = excluded.label, value_type = excluded.value_type, sensitivity = excluded.sensitivity"
    )
    execute(session, insert, (GOLDEN, "Concord golden id", "text", "internal"))
    for system in IDENTIFIER_SYSTEMS:
        execute(session, insert, (system.code, system.label, system.type.name, system.sensitivity.value))
        for kind, value in system.aliases:
            execute(
                session,
                "insert into identifier_alias (kind, value, system) values (%s, %s, %s) on conflict (kind, value) do nothing",
                (kind, value, system.code),
            )
    forget_registry(session)
