"""What has to be said before a plan is applied or a load is undone: which guard rails somebody has looked at, of which rows, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from mdm.errors import Conflict, FieldProblem
from mdm.tiers import ReasonWanted

Rails = Sequence[Mapping[str, Any]]  # those that a plan hits: code, message, count


class RailHit(Conflict):
    """The plan hits a guard rail that nobody has named."""


def changing(counts: Mapping[str, int] | None) -> int:
    """How many rows of a plan change something."""
    return sum((counts or {}).get(name, 0) for name in ("new", "linked", "review", "updated"))


def takes_two(counts: Mapping[str, int] | None, approval_rows: int) -> bool:
    """Whether a second person has to ask for the same."""
    return changing(counts) > approval_rows


def check_rails(rails: Rails, despite: Sequence[str]) -> None:
    """Raise RailHit while the plan hits a guard rail that nobody has named."""
    hit = [rail for rail in rails if rail["code"] not in despite]
    if hit:
        problems = tuple(FieldProblem(rail["code"], "/despite", f"{rail['message']}: {rail['count']}") for rail in hit)
        raise RailHit("the plan hits a guard rail; name its code to apply it all the same", problems)


def check_reason(rails: Rails, reason: str, *, by_two: bool) -> None:
    """Raise ReasonWanted where a load is as grave as a decision that has to say why: a guard rail is hit, or it takes two people."""
    against = [rail["message"] for rail in rails] + (["a second person decides this too"] if by_two else [])
    if against and not reason.strip():
        raise ReasonWanted("; ".join(against) + ". Give a reason.", (FieldProblem("reason_wanted", "/reason", "say why"),))
