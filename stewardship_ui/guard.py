"""Who may open a page: nobody who is not signed in, but for the sign-in page and the style sheet.

A write must come from one of our own pages: the browser says so, and the form carries the session's token.
"""

import re
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from urllib.parse import urlsplit

from flask import g, request
from sqlalchemy.orm import Session

from api.auth import check_path
from api.context import actor, concord, database, request_id
from api.loads import UPLOAD_BYTES_MAX
from mdm import audit, authentication
from mdm.errors import Forbidden, Unauthenticated
from mdm.settings import SecondFactor
from stewardship_ui.sessions import Cookie, SignedIn, cookie, find_session, refresh_factor

OPEN = frozenset({"ui.sign_in_page", "ui.sign_in", "ui.static", "ui.csp"})
FROM_ANYWHERE = frozenset({"ui.csp"})  # a browser sends its reports without saying from where
# All that whoever owes a password of their own or a second factor can open: where both are set, and the way out.
ENROLMENT = frozenset({"ui.me", "ui.set_password", "ui.set_factor", "ui.step_up", "ui.prove", "ui.save_prefs", "ui.sign_out"})
POLL = "X-Poll"  # what a page asks by itself
_OUR_ADDRESS = re.compile(r"/(?![/\\])[A-Za-z0-9/_-]{0,200}(\?[A-Za-z0-9=&_.,:%+-]{0,500})?", re.ASCII)


class ForeignForm(Forbidden):
    """This form did not come from a page of yours. Open the page again and send it from there."""

    code = "foreign_form"


def check_request() -> None:
    """Raise Unauthenticated without a live session, ForeignForm for a write that another site may have caused."""
    is_write = request.method not in {"GET", "HEAD"}
    if is_write and not is_from_here() and request.endpoint not in FROM_ANYWHERE:
        raise ForeignForm
    if request.endpoint in OPEN:
        return
    check_path()
    secret = our_cookie().read(request)
    signed_in = database().run(lambda session: find_session(session, secret, awake=POLL not in request.headers)) if secret else None
    if signed_in is None:
        raise Unauthenticated
    let_in(signed_in)
    if request.endpoint == "ui.begin_load":
        request.max_content_length = UPLOAD_BYTES_MAX  # before the form is read, whose token stands in it
    if is_write and not compare_digest(request.form.get("csrf", "").encode(), g.csrf.encode()):
        raise ForeignForm
    if g.owed and request.endpoint not in ENROLMENT:
        raise Enrolment


def let_in(signed_in: SignedIn) -> None:
    """Who this request is of, and what it may carry."""
    g.actor, g.csrf, g.prefs = signed_in.actor, signed_in.csrf, signed_in.prefs
    g.factor_at, g.glass = signed_in.factor_at, signed_in.glass
    g.owed = _owed(signed_in)


def _owed(signed_in: SignedIn) -> str:
    """What must be set before anything else opens: `password`, `factor` or nothing."""
    if signed_in.password_due:
        return "password"
    is_missing = concord().settings.second_factor is SecondFactor.DEMANDED and not signed_in.second_factor
    return "factor" if is_missing else ""


class Enrolment(Forbidden):
    """First choose a password of your own and set up your second factor."""

    code = "enrolment"


class StepUp(Forbidden):
    """Show once more that it is you; then do this again. `wrong`: what was shown was not right."""

    code = "step_up"

    def __init__(self, *, wrong: bool = False) -> None:
        super().__init__()
        self.wrong = wrong


FRESH = timedelta(minutes=5)
PROOF = "step_up_proof"  # the field of a form that was held up until its sender had shown who they are


def check_fresh() -> None:
    """Raise StepUp unless the second factor was shown within five minutes, or comes with the form."""
    is_fresh = g.factor_at is not None and datetime.now(UTC) - g.factor_at <= FRESH
    given = request.form.get(PROOF)
    if not is_fresh and (given is None or not proved(given)):
        raise StepUp(wrong=given is not None)


def proved(proof: str) -> bool:
    """Whether a code, or a password where there is no second factor, is right; the five minutes begin anew."""

    def work(session: Session) -> bool:
        right = authentication.prove(session, actor().id, proof)
        if right:
            refresh_factor(session, our_cookie().read(request))
        audit.record(session, actor(), "session:step_up", request_id=request_id(), outcome="done" if right else "refused")
        return right

    right = database().run(work)
    if right:
        g.factor_at = datetime.now(UTC)
    return right


def our_cookie() -> Cookie:
    return cookie(concord().settings)


def is_from_here() -> bool:
    """Whether the browser says that this request comes from a page of this host; every browser says one or the other."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    # The scheme is left out: behind a proxy that ends TLS the browser's differs from ours.
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host


def our_address(asked: str) -> str:
    """An address of ours, or nothing: never one elsewhere that a link slipped in."""
    return asked if _OUR_ADDRESS.fullmatch(asked) else ""


def our_place(path: str, query: str) -> str:
    """Where somebody was, to go back to: the page with its filters, or without what is no filter of ours."""
    return (query and our_address(f"{path}?{query}")) or our_address(path)
