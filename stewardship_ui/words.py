"""What people read in place of codes: kinds of task, verdicts, rules of survivorship, refusals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from uuid import UUID

from mdm.desk import Desk

TAG_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer to a task's question: its key, what the button says, what it does, and what is said once it is done.

    `of_one`: the answer names one of those that the body lists, and has its buttons there; it is sent as `verdict:id`.
    """

    key: str
    label: str
    effect: str
    done: str
    icon: str
    of_one: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of task: its name, the question it asks, its verdicts, and what its impact is.

    `can_split`: its subject may be parted instead. `parts`: its body lets records be put into groups.
    """

    name: str
    question: str
    verdicts: Mapping[str, Verdict]
    impact: str
    can_split: bool = False
    parts: bool = False


_TOGETHER = "The records stay one golden record, whatever their weights say."
_ASKED = "40: somebody asked for it"
KINDS: Mapping[str, Kind] = {
    "review": Kind(
        "Possible match",
        "Same entity?",
        {
            "same": Verdict("m", "Merge", "Joins both; the older id survives, the other redirects to it.", "Merged", "git-merge"),
            "different": Verdict(
                "n",
                "Not a match",
                "Keeps them apart, whatever is delivered; asked once more only if they grow more alike than they are now.",
                "Kept apart",
                "x",
            ),
            "link-only": Verdict("l", "Link only", "One golden record; the system that keeps both is asked to merge.", "Linked", "link"),
        },
        "the weight of the best candidate, in bits",
        can_split=True,
    ),
    "cut": Kind(
        "Proposed split",
        "Split into these parts?",
        {
            "accept": Verdict("m", "Accept the split", "Each part becomes a golden record; one keeps the present id.", "Split", "split"),
            "reject": Verdict("n", "Keep together", _TOGETHER, "Kept together", "link"),
        },
        "20 for every golden record that its evidence would part",
    ),
    "split": Kind(
        "Split",
        "Which records belong together?",
        {
            "split": Verdict("Enter", "Split", "Each group becomes a golden record; one keeps the present id.", "Split", "split"),
            "together": Verdict("n", "Keep together", _TOGETHER, "Kept together", "link"),
        },
        _ASKED,
        parts=True,
    ),
    "merge": Kind(
        "Merge asked for",
        "Same entity?",
        {
            "same": Verdict("m", "Merge", "One golden record: the first survives, the others redirect to it.", "Merged", "git-merge"),
            "different": Verdict("n", "Not a match", "The others are kept apart from the first for good.", "Kept apart", "x"),
            "link-only": Verdict("l", "Link only", "One golden record; the system that keeps several is asked to merge.", "Linked", "link"),
        },
        _ASKED,
        can_split=True,
    ),
    "move": Kind(
        "Move asked for",
        "Do these records belong to the other golden record?",
        {
            "move": Verdict("m", "Move them", "The records of group 2 belong to the other golden record.", "Moved", "git-merge"),
            "stay": Verdict("n", "Leave them", "They are not of the other golden record, for good.", "Left", "x"),
        },
        _ASKED,
    ),
    "overlay": Kind(
        "Suspected overlay",
        "Still the same entity?",
        {
            "accept": Verdict("m", "Accept the incoming version", "It becomes the current version.", "Accepted", "check"),
            "reject": Verdict("n", "Reject it", "The present version stays; the incoming one never becomes current.", "Rejected", "x"),
        },
        "30 for every update that turns a record into somebody else",
        can_split=True,
    ),
    "undo": Kind(
        "Undo left something",
        "Do these records stay where they are?",
        {
            "keep": Verdict("m", "Keep them here", "What could not be brought back stays as it is.", "Kept", "check"),
            "part": Verdict("n", "Part them", "These records become a golden record of their own.", "Parted", "split"),
        },
        "25: somebody waits for the answer",
    ),
    "request": Kind(
        "Merge request",
        "Has their system merged these records?",
        {
            "done": Verdict("m", "Done", "The system has merged them: it is not asked again.", "Done", "check"),
            "declined": Verdict("n", "Declined", "The system keeps both for good: it is not asked again.", "Declined", "x"),
        },
        "how long the system has been asked",
    ),
    "mapping": Kind(
        "Unknown value",
        "What does this value mean?",
        {
            "map": Verdict("1", "Map", "The value belongs to this golden record from now on.", "Mapped", "check", of_one=True),
            "ignore": Verdict("0", "No map", "Not worth mapping: it is no work any more.", "Not mapped", "x"),
            "not_ours": Verdict("n", "Not ours", "No such value can be.", "Refused", "flag"),
        },
        "how often it was asked for in vain",
    ),
    "oversize": Kind(
        "Oversize",
        "So many records of one entity?",
        {
            "keep": Verdict("m", "Keep together", "One golden record; asked again only when it grows.", "Kept together", "check"),
            "split": Verdict("Enter", "Split", "Each group becomes a golden record; one keeps the present id.", "Split", "split"),
        },
        "how many source records it has",
        parts=True,
    ),
    "shared_identifier": Kind(
        "Shared identifier",
        "Whose identifier is it?",
        {
            "same": Verdict("m", "Same: merge them", "All who carry it become one golden record.", "Merged", "git-merge"),
            "different": Verdict("n", "Different", "They are kept apart for good; the value stays with each.", "Kept apart", "x"),
            "belongs": Verdict(
                "1", "Belongs to this one", "The others lose it, in lookups and comparisons.", "Assigned", "check", of_one=True
            ),
            "shared": Verdict("t", "Truly shared", "Rightly carried by all: asked again only when one more carries it.", "Shared", "users"),
            "placeholder": Verdict("0", "Placeholder", "Nobody is ever compared by this value again.", "Never matched on", "link-2-off"),
        },
        "15, and one for every golden record that carries it",
    ),
    "drift": Kind(
        "Drift",
        "Is the new state right?",
        {
            "accept": Verdict("m", "Accept the new state", "A pin moves to it; a link holds on it.", "Accepted", "check"),
            "restore": Verdict("n", "Restore the old", "A pin is said again; a link is parted.", "Restored", "history"),
            "exception": Verdict("3", "Known exception", "It may be so: not asked again while the decision stands.", "Excepted", "flag"),
        },
        "18 for every change under a person's word",
        can_split=True,
    ),
}

# What is said of a decision by its kind, in the tray of what can be undone.
DONE: Mapping[str, str] = {
    "same": "merged",
    "different": "kept apart",
    "accept": "accepted",
    "reject": "rejected",
    "split": "split",
    "merge": "merged",
    "move": "moved",
    "pin": "pinned",
    "map": "mapped",
    "ignore": "not mapped",
    "link-only": "linked only",
    "answer": "answered",
    "keep-size": "kept together",
    "belongs": "assigned",
    "shared": "truly shared",
    "placeholder": "never matched on",
    "exception": "excepted",
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

DUES: Mapping[str, str] = {"late": "Late", "today": "Within a day", "week": "Within a week", "later": "Later"}
SORTS: Mapping[str, str] = {"impact": "impact", "due": "due time", "age": "age"}
WAITS: Mapping[str, str] = {"time": "deferred", "change": "until data changes", "answer": "asked", "approval": "second person"}
# The same for whoever reads, as a filter.
OWN_WAITS: Mapping[str, str] = {"asked": "questions to me", "second": "to be approved by me", "proposed": "proposed by me"}

OUTCOMES: Mapping[str, str] = {
    "link": "linked without asking",
    "review": "a person decides",
    "new": "kept apart",
}

# Why a golden record could be what an unknown value means, by the codes of `mdm.similar`.
LIKENESSES: Mapping[str, str] = {
    "same_value": "another system calls it exactly that",
    "habit": "as earlier mappings of this system",
    "format": "the same but for zeros, case, blanks",
    "similar_code": "nearly the same code",
    "similar_name": "described nearly alike",
}
REFUSALS: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Nothing here",
    HTTPStatus.METHOD_NOT_ALLOWED: "Nothing here",
    HTTPStatus.CONFLICT: "Already settled",
    HTTPStatus.UNPROCESSABLE_ENTITY: "That cannot be done",
    HTTPStatus.SERVICE_UNAVAILABLE: "Back in a moment",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
}


# What an address may say of the task that was left last: a word of these, with its tag
LEFT: Mapping[str, str] = {
    "decided": "Decision on task {} stored.",
    "proposed": "Proposed on task {}: a second person decides.",
    "agreed": "Decision on task {} stored: two people say the same.",
    "disagreed": "You and who proposed on task {} disagree; see its comments.",
    "rests": "Task {} rests.",
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


def probability(share: float) -> str:
    """Never a rounded certainty: as many nines as it takes."""
    return f"{share:.4f}" if 0.0001 <= share <= 0.9999 else "> 0.9999" if share > 0.5 else "< 0.0001"


def stamp(found: Desk) -> str:
    """What a task's desk says now, to compare with what a page shows; no name of anybody."""
    return f"{found.version}.{found.status}.{int(found.claimed_until.timestamp()) // 60 if found.claimed_until else 0}"


def spoken(told: Mapping[str, object], *, repeated: bool = False) -> str:
    """What a decision came to, in one short sentence."""
    verdict = str(told.get("verdict", ""))
    kind = KINDS.get(str(told.get("kind", "")))
    done = kind.verdicts[verdict].done if kind is not None and verdict in kind.verdicts else "Done"
    match told.get("outcome"):
        case "proposed":
            said = "Proposed: a second person decides"
        case "agreed":
            said = f"{done}: {told['proposer']} had proposed the same"
        case "disagreed":
            said = f"You and {told['proposer']} disagree; see the comments"
        case _:
            said = done
    return f"{said}, as before." if repeated else f"{said}."
