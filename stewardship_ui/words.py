"""What people read in place of codes: kinds of task, verdicts, rules of survivorship, refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

TAG_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of task: its name, the question it asks, and what each verdict does, by verdict."""

    name: str
    question: str
    verdicts: Mapping[str, tuple[str, str]]


KINDS: Mapping[str, Kind] = {
    "review": Kind(
        "Possible match",
        "Do these golden records stand for the same entity?",
        {
            "same": ("Same", "Joins the two golden records; the older id survives, the other one redirects to it."),
            "different": ("Different", "Keeps them apart for good; this pair is not asked about again."),
        },
    ),
    "cut": Kind(
        "Proposed split",
        "Should this golden record be split into these parts?",
        {
            "accept": ("Accept the split", "Each part becomes a golden record; one of them keeps the present id."),
            "reject": ("Keep together", "The records stay one golden record, whatever their weights say."),
        },
    ),
    "overlay": Kind(
        "Suspected overlay",
        "Is the incoming version still the same entity?",
        {
            "accept": ("Accept the incoming version", "It becomes the record's current version."),
            "reject": ("Reject it", "The present version stays; the incoming one never becomes current."),
        },
    ),
}

RULES: Mapping[str, str] = {
    "authority": "the authoritative system for this attribute",
    "most_recent": "the most recent statement",
    "most_frequent": "said by most sources",
    "longest": "the longest form",
    "most_complete": "the most complete source",
    "group": "the source that fills most of the group, taken whole",
    "all": "every value of every source",
    "pin": "pinned by a steward",
}

REASONS: Mapping[str, str] = {
    "weight": "the weight lies between the two thresholds",
    "ambiguous": "strong enough to link, but not clearly ahead of another candidate",
}

OUTCOMES: Mapping[str, str] = {
    "link": "linked without asking",
    "review": "a person decides",
    "new": "kept apart",
}

REFUSALS: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Nothing here",
    HTTPStatus.CONFLICT: "Already settled",
    HTTPStatus.UNPROCESSABLE_ENTITY: "That cannot be done",
    HTTPStatus.SERVICE_UNAVAILABLE: "Back in a moment",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
}


def tag(golden_id: UUID | str) -> str:
    """The short name of an id: # and its last six digits."""
    return "#" + str(golden_id)[-TAG_DIGITS:]


def moment(at: datetime | None) -> str:
    """A moment in UTC, to the minute."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def ago(at: datetime | None) -> str:
    """How long ago, or in how long; beyond a month the day itself."""
    if at is None:
        return ""
    seconds = (datetime.now(UTC) - at.astimezone(UTC)).total_seconds()
    for limit, size, unit in ((90, 1, "s"), (5400, 60, "min"), (129600, 3600, "h"), (2592000, 86400, "d")):
        if abs(seconds) < limit:
            amount = f"{round(abs(seconds) / size)} {unit}"
            return f"{amount} ago" if seconds >= 0 else f"in {amount}"
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def bits(weight: float) -> str:
    """A weight with its sign: a true minus, so that columns of figures align."""
    return f"{weight:+.1f}".replace("-", "\u2212")
