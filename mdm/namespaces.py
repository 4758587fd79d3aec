"""The identifier systems as people see them: standard ones and the local keys of systems, each with its aliases."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from mdm.db import Row, fetch


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name of an identifier system: OID, FHIR URI, HL7 namespace, X12 qualifier."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class NamespaceView:
    """An identifier system; `is_source` when its values are a system's local keys."""

    code: str
    label: str
    value_type: str
    sensitivity: str
    is_source: bool
    status: str
    aliases: tuple[Alias, ...]


def list_namespaces(session: Session) -> Sequence[NamespaceView]:
    """Every identifier system, by code."""
    rows = fetch(
        session,
        "select i.code, i.label, i.value_type, i.sensitivity, i.is_source, i.status,"
        " coalesce(array_agg(array[a.kind, a.value] order by a.kind, a.value) filter (where a.value is not null), '{}')"
        " from identifier_system i left join identifier_alias a on a.system = i.code group by i.id order by i.code",
    )
    return [_view(row) for row in rows]


def _view(row: Row) -> NamespaceView:
    code, label, value_type, sensitivity, is_source, status, aliases = row
    return NamespaceView(code, label, value_type, sensitivity, is_source, status, tuple(Alias(kind, value) for kind, value in aliases))
