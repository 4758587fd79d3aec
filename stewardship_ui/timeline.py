"""The history of one golden record: lanes of its source records, drawn, and every event in words, newest first."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import request
from sqlalchemy.orm import Session

from mdm.access import Actor
from mdm.card import Card
from mdm.decisions import DecisionView
from mdm.entity import EntityType
from mdm.errors import Invalid, NotFound
from mdm.golden import GoldenVersionView
from mdm.history import Diff, Lane, Point, Points
from mdm.reading import Reader, read_diff, read_history, read_lanes
from mdm.undo import UNDOABLE
from stewardship_ui.showing import shown

Change = tuple[str, Sequence[str], Sequence[str]]  # attribute, before, after

CAUSES: Mapping[str, str] = {
    "new": "as a record of its own",
    "edge": "because the evidence says so",
    "decision": "because a person said so",
    "identifier": "because of an exclusive identifier",
}
ACTS: Mapping[str, str] = {
    "same": "Judged the same",
    "different": "Judged different",
    "merge": "Merged",
    "split": "Split",
    "move": "Moved records",
    "pin": "Pinned a value",
    "unpin": "Took a pin back",
    "map": "Mapped an identifier",
    "ignore": "Set an unknown value aside",
    "overlay": "Ruled on a suspected overlay",
    "undo": "Took a decision back",
    "keep": "Kept together",
    "keep-size": "Kept together, although there are many",
    "belongs": "Said whose an identifier is",
    "shared": "Said that an identifier is truly shared",
    "placeholder": "Said that an identifier is a placeholder",
    "exception": "Said that a change under a person's word is known",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of a lane, in per cent of the whole time that is shown."""

    left: float
    width: float
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on a lane, in per cent, that the page can be seen as of."""

    at: float
    moment: str
    title: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """One lane as drawn."""

    label: str
    bars: Sequence[Bar]
    marks: Sequence[Mark]


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened: when, what in words, by whom and why, which values changed. `decision`: what could be taken back."""

    at: datetime
    what: str
    by: str = ""
    reason: str = ""
    changes: Sequence[Change] = ()
    version: int | None = None
    decision: UUID | None = None
    revoked: bool = False

    @property
    def moment(self) -> str:
        return address(self.at)


def address(at: datetime) -> str:
    """A moment as addresses write it: in UTC, to the last digit, or what is asked as of it would be another one."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """A moment out of an address or a form; without a time zone it is one of UTC. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def tab(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, card: Card) -> dict[str, Any]:
    versions = read_history(session, entity, reader, golden_id)
    lanes = read_lanes(session, entity, reader, golden_id)
    entries = sorted(
        [
            *_version_entries(entity, reader.actor, versions),
            *_lane_entries(golden_id, lanes),
            *(_decision_entry(entity, each) for each in card.decisions),
        ],
        key=_newest,
    )
    moments = sorted({entry.at for entry in entries})
    asked = request.args.get("from", ""), request.args.get("to", "")
    return {
        "tracks": tracks(golden_id, versions, lanes, card.decisions),
        "entries": entries,
        "points": [(address(at), at) for at in reversed(moments)],
        "asked": asked,
        "diff": _difference(session, entity, reader, golden_id, asked) if any(asked) else None,
        "begins": moments[0] if moments else None,
        "titles": {a.name: a.title for a in entity.attributes},
        "attributes": {a.name: a for a in entity.attributes},
        "shown": lambda name, value: shown(reader.actor, entity.attribute(name), value),
    }


def _newest(entry: Entry) -> tuple[float, str]:
    return -entry.at.timestamp(), entry.what


def _difference(session: Session, entity: EntityType, reader: Reader, golden_id: UUID, asked: tuple[str, str]) -> Diff | None:
    try:
        before, after = (Point(known_at=moment(text) if text else None) for text in asked)
        points: Points = before, after
    except ValueError:
        raise Invalid("A moment is written 2026-03-31T14:05 (UTC).") from None
    try:
        return read_diff(session, entity, reader, golden_id, points)
    except NotFound:
        return None


def _version_entries(entity: EntityType, actor: Actor, versions: Sequence[GoldenVersionView]) -> Iterator[Entry]:
    """What each version changed; versions stand newest first."""
    before: list[Mapping[str, Any]] = [version.values for version in versions[1:]]
    for view, old in zip(versions, [*before, {}], strict=True):
        changes = [
            (a.title, shown(actor, a, old.get(a.name)), shown(actor, a, view.values.get(a.name)))
            for a in entity.attributes
            if old.get(a.name) != view.values.get(a.name)
        ]
        yield Entry(view.recorded_from, f"Version {view.version}", changes=changes, version=view.version)


def _lane_entries(golden_id: UUID, lanes: Iterable[Lane]) -> Iterator[Entry]:
    for lane in lanes:
        for stay in (each for each in lane.stays if each.golden_id == golden_id):
            yield Entry(stay.joined_at, f"{lane.system} {lane.key} joined, {CAUSES.get(stay.joined_by, stay.joined_by)}")
            if stay.left_at is not None:
                to = f" for #{str(stay.left_to)[-6:]}" if stay.left_to else ""
                yield Entry(stay.left_at, f"{lane.system} {lane.key} left{to}, {CAUSES.get(stay.left_by or '', stay.left_by or '')}")


def _decision_entry(entity: EntityType, decision: DecisionView) -> Entry:
    about = [a.title for a in entity.attributes if a.name == decision.detail.get("attribute")]
    what = ": ".join([ACTS.get(decision.kind, decision.kind.replace("_", " ").capitalize()), *about])
    may = decision.kind in UNDOABLE and decision.revoked_by is None
    return Entry(
        decision.created_at,
        what,
        decision.actor,
        decision.reason,
        decision=decision.id if may else None,
        revoked=decision.revoked_by is not None,
    )


def tracks(golden_id: UUID, versions: Sequence[GoldenVersionView], lanes: Sequence[Lane], decisions: Sequence[DecisionView]) -> list[Track]:
    """The golden record on top, then one lane for each source record, all on one scale from the first moment to now."""
    begins = [version.recorded_from for version in versions] + [stay.joined_at for lane in lanes for stay in lane.stays]
    if not begins:
        return []
    first, now = min(begins), datetime.now(UTC)
    whole = max((now - first).total_seconds(), 1.0)

    def place(at: datetime) -> float:
        return round(min(max((at - first).total_seconds() / whole, 0.0), 1.0) * 96 + 2, 2)

    own = [Mark(place(v.recorded_from), address(v.recorded_from), f"Version {v.version}", "version") for v in versions]
    said = [Mark(place(d.created_at), address(d.created_at), ACTS.get(d.kind, d.kind), "decision") for d in decisions]
    top = Track("Golden record", [Bar(2, 96, "")], [*reversed(own), *said])
    return [top, *(_track(golden_id, lane, place, now) for lane in lanes)]


def _track(golden_id: UUID, lane: Lane, place: Callable[[datetime], float], now: datetime) -> Track:
    stays = [stay for stay in lane.stays if stay.golden_id == golden_id]
    bars = [
        Bar(place(s.joined_at), round(place(s.left_at or now) - place(s.joined_at), 2), CAUSES.get(s.joined_by, s.joined_by)) for s in stays
    ]
    marks = [Mark(place(v.recorded_from), address(v.recorded_from), f"Delivery {v.version}, {v.state}", v.state) for v in lane.versions]
    return Track(f"{lane.system} {lane.key}", bars, marks)
