"""Forms into what services take: checked by the same schemas as the API's bodies, refused in words that stand beside the form."""

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, TypeVar

from flask import redirect, request
from marshmallow import Schema, ValidationError
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, database
from api.errors import status_of
from mdm import answers
from mdm.answers import Answer
from mdm.errors import ConcordError, Conflict, FieldProblem, Forbidden, Invalid
from mdm.jsonio import dumps
from mdm.values.kind import clean_text
from stewardship_ui.rendering import Page

T = TypeVar("T")
SEE_OTHER = 303
_OF_THE_PAGE = frozenset({"csrf", "idempotency_key", "step_up_proof"})


def text(name: str) -> str:
    return clean_text(request.form.get(name, ""))


def lines(name: str) -> list[str]:
    """One per line or comma, empty ones left out."""
    return [part for part in (clean_text(each) for each in request.form.get(name, "").replace(",", "\n").splitlines()) if part]


def chosen(name: str) -> list[str] | None:
    """The boxes that were ticked; none of them means all of them, which services call None."""
    return request.form.getlist(name) or None


def number(name: str) -> float:
    """Raises Invalid for what is no number."""
    try:
        return float(text(name))
    except ValueError:
        raise Invalid.at("not_a_number", f"/{name}", f"{name} must be a number") from None


def version() -> int:
    """The version of what was shown; a form without one was not made by us."""
    said = request.form.get("version", "")
    if not (said.isascii() and said.isdigit() and len(said) < 10):
        raise Invalid.at("version_missing", "/version", "open the page again")
    return int(said)


def version_of(what: str) -> int:
    """The same where the form of something new has none: what has its code already is not overwritten. Raises Conflict."""
    if not request.form.get("version"):
        raise Conflict(f"a {what} of this code is there already; open it to change it")
    return version()


def checked(schema: Schema, said: Mapping[str, Any]) -> dict[str, Any]:
    """What the API would take of this. Raises Invalid with one problem per field."""
    try:
        found: dict[str, Any] = schema.load(said)
    except ValidationError as error:
        raise Invalid(problems=tuple(_problems(error.messages))) from None
    return found


def _problems(messages: Any, pointer: str = "") -> Iterator[FieldProblem]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _problems(inner, f"{pointer}/{name}")
    else:
        for message in messages:
            yield FieldProblem("invalid", pointer, str(message).rstrip("."))


def words(error: ConcordError) -> str:
    """What was wrong, for whoever sent the form."""
    said = "; ".join(f"{_field(problem.pointer)}{problem.message}" for problem in error.problems)
    is_telling = not said or error.message != (type(error).__doc__ or "").splitlines()[0]
    return (f"{error.message}: {said}" if said else error.message) if is_telling else said


def _field(pointer: str) -> str:
    name = pointer.strip("/").partition("/")[0].replace("_", " ")
    return f"{name}: " if name else ""


def once(work: Callable[[], T]) -> T:
    """Make something whose secret is shown once and kept nowhere. Raises Unguarded without the form's key, Conflict the second time."""
    made: list[T] = []
    said = sorted((name, value) for name, value in request.form.items(multi=True) if name not in _OF_THE_PAGE)
    told = sha256(dumps([request.path, *said])).hexdigest()

    def act(session: Session) -> Answer:
        def make() -> Mapping[str, Any]:
            made.append(database().joining(session, work))
            return {}

        made.clear()
        return answers.once(session, actor(), text("idempotency_key"), told, make)

    if database().run(act).repeated:
        raise Conflict("this was made when the form was sent first, and shown that once; nothing was made again")
    return made[0]


def done(act: Callable[[], object], then: str, refused: Callable[[str, int], Page]) -> Response | Page:
    """Do it and go on; refused, the form again with what was typed and why not. What policy forbids beforehand is a page of its own."""
    try:
        act()
    except (Invalid, Conflict, Forbidden) as error:
        return refused(words(error), status_of(error))
    return redirect(then, SEE_OTHER)
