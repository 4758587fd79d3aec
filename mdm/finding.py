"""Something that a person should look at: what `mdm.reviews` makes a task of; see `mdm.findings` for what is more than who is who."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm.db import array, fetch


@dataclass(frozen=True, slots=True)
class Finding:
    """What its task says. `key` names the question: there is one open task per key, and it closes when its reason is gone."""

    key: str
    kind: str
    goldens: tuple[UUID, ...]
    records: tuple[UUID, ...]
    detail: Mapping[str, Any]
    impact: float


@dataclass(frozen=True, slots=True)
class Known:
    """An open task of a finding, as it was judged last."""

    key: str
    kind: str
    records: tuple[UUID, ...]
    detail: Mapping[str, Any]


def standing(session: Session, domain: str, kind: str, records: Sequence[UUID]) -> list[tuple[frozenset[UUID], Mapping[str, Any]]]:
    """Decisions of a kind about any of these records that were not taken back: their records and what they noted."""
    rows = fetch(
        session,
        "select d.records, d.detail from decision d where d.domain = %s and d.kind = %s and d.records && %s::uuid[]"
        " and not exists (select 1 from decision r where r.revokes = d.id)",
        (domain, kind, array(records)),
    )
    return [(frozenset(row[0]), row[1]) for row in rows]
