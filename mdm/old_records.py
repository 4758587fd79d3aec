"""Records that an earlier version of Concord, or of a declaration, read otherwise than this one does: found, and read anew.

A delivery is read once, when it comes: into clean values, the columns by which it is compared, and the keys under which it is found.
Where a release reads otherwise (a column more, another normal form), what was delivered before would be compared in the old way until its
system says something else.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import Columns
from mdm import audit, identifier_rulings
from mdm.access import SYSTEM_ACTOR
from mdm.claims import lock_sources
from mdm.db import LOCKS_MAX, Database, Row, array, execute, fetch, lock
from mdm.entity import EntityType
from mdm.errors import InvalidRecord, UnknownSystem
from mdm.feed import publish
from mdm.guard import as_tuple, guards, record_keys
from mdm.jsonio import canonical
from mdm.models import scorer as active_scorer
from mdm.records import Incoming, delivery_of, row_of
from mdm.reread import FROM_VERSION
from mdm.resolve import Change, settle
from mdm.rulings import read_anew
from mdm.standardise import standardise
from mdm.systems import registry

REMEDY = "run `mdm repair records`"
FIRST = UUID(int=0)
_BATCH = 500
_PIECE_MAX = 10  # records of one transaction, so that it is soon done


@dataclass(frozen=True, slots=True)
class Old:
    """A record as it would be read today, and the keys under which it is stored."""

    today: Incoming
    keys: Sequence[int]


@dataclass(frozen=True, slots=True)
class Look:
    """A batch of records, looked at: how many, which are read otherwise by now, how many are refused by now; where to go on."""

    looked_at: int
    old: Sequence[Old]
    refused: int
    after: UUID | None


def look(session: Session, entity: EntityType, after: UUID = FIRST) -> Look:
    """The next records of a domain by id, in one snapshot: a delivery between two reads would look like an old record."""
    execute(session, "set transaction isolation level repeatable read, read only")
    rows = fetch(session, _STORED, (entity.name, after, _BATCH))
    model, systems = active_scorer(session, entity).model, registry(session)
    read: list[Incoming] = []
    held: dict[UUID, Row] = {}
    refused = 0
    for record, columns, keys, clean, *version in rows:
        try:
            standard = standardise(entity, delivery_of(*version), systems)
        except (InvalidRecord, UnknownSystem):
            refused += 1
            continue
        held[record] = (columns, keys, clean)
        read.append(Incoming(record, standard, None, standard.columns, record_keys(entity, model, standard.columns)))
    read = identifier_rulings.apply(session, entity, systems, read)
    old = [Old(i, held[i.record_id][1]) for i in read if _is_old(entity, i, *held[i.record_id])]
    return Look(len(rows), old, refused, rows[-1][0] if len(rows) == _BATCH else None)


_STORED: LiteralString = (
    f"select r.id, r.columns, r.keys, r.clean, r.system, r.key, {FROM_VERSION} from source_record r join source_record_version v"
    " on v.record_id = r.id and v.version = r.version where r.domain = %s and r.id > %s and r.hash <> '' order by r.id limit %s"
)


def _is_old(entity: EntityType, today: Incoming, columns: Columns, keys: Sequence[int], clean: dict[str, Any]) -> bool:
    if {*keys} != {*today.keys} or canonical(clean) != canonical(row_of(today)["clean"]):
        return True
    # Of a guarded column some values may be missing: too many held them when the record was stored.
    guarded = guards(entity)
    plain = [{name: value for name, value in of.items() if name not in guarded} for of in (columns, today.columns)]
    return canonical(plain[0]) != canonical(plain[1]) or any(
        not {*as_tuple(columns.get(name, ()))} <= {*as_tuple(today.columns.get(name, ()))} for name in guarded
    )


@dataclass(frozen=True, slots=True)
class Step:
    """How far a repair has come in its domain: records looked at, read anew (or, if nothing is to change, old), refused by now."""

    domain: str
    looked_at: int = 0
    old: int = 0
    refused: int = 0

    def and_also(self, found: Look, old: int) -> "Step":
        return Step(self.domain, self.looked_at + found.looked_at, self.old + old, self.refused + found.refused)


def repair(database: Database, entity: EntityType, *, changes: bool = True) -> Iterator[Step]:
    """Batch by batch; what is old is read anew in small transactions, beside deliveries and stewards.

    Begun again it looks for what is left. A record that today's declaration refuses stays as it is.
    """
    done = Step(entity.name)
    after: UUID | None = FIRST
    while after is not None:
        found = database.run(partial(look, entity=entity, after=after))
        old = sum(database.run(partial(again, entity=entity, old=piece)) for piece in _pieces(found.old)) if changes else len(found.old)
        done, after = done.and_also(found, old), found.after
        yield done


def _pieces(old: Sequence[Old]) -> Iterator[list[Old]]:
    """As many as the locks of one transaction allow: of their keys of today, and of those before."""
    piece: list[Old] = []
    locks = 0
    for each in old:
        wanted = len({*each.keys, *each.today.keys})
        if piece and (len(piece) == _PIECE_MAX or locks + wanted > LOCKS_MAX):
            yield piece
            piece, locks = [], 0
        piece.append(each)
        locks += wanted
    if piece:
        yield piece


def again(session: Session, entity: EntityType, old: Sequence[Old]) -> int:
    """Read these records anew; how many. One that was withdrawn meanwhile stays so, one that got other keys has been read by us since."""
    lock_sources(session, entity, [each.today.standard for each in old])
    wanted = {key for each in old for key in (*each.keys, *each.today.keys)}
    lock(session, f"block:{entity.name}", sorted(wanted)[:LOCKS_MAX])
    held = fetch(session, "select id, keys from source_record where id = any(%s) and hash <> ''", (array(e.today.record_id for e in old),))
    records = [record for record, keys in held if wanted.issuperset(keys)]
    if not records:
        return 0
    touched = read_anew(session, entity, records)
    settled = settle(session, entity, active_scorer(session, entity), registry(session), Change(touched | {*records}))
    publish(session, entity.name, settled.happenings)
    detail = {"records": [str(record) for record in records]}
    audit.record(session, SYSTEM_ACTOR, "record:read_anew", domain=entity.name, detail=detail)
    return len(records)
