"""Who may open a page: nobody who is not signed in, but for the sign-in page and the style sheet.

A write must come from one of our own pages: the browser says so, and the form carries the session's token.
"""

from hmac import compare_digest
from urllib.parse import urlsplit

from flask import g, request

from api.context import concord, database
from mdm.errors import Forbidden, Unauthenticated
from stewardship_ui.sessions import Cookie, cookie, find_session

OPEN = frozenset({"ui.sign_in_page", "ui.sign_in", "ui.static"})


class ForeignForm(Forbidden):
    """This form did not come from a page of yours. Open the page again and send it from there."""

    code = "foreign_form"


def check_request() -> None:
    """Raise Unauthenticated without a live session, ForeignForm for a write that another site may have caused."""
    is_write = request.method not in {"GET", "HEAD"}
    if is_write and not is_from_here():
        raise ForeignForm
    if request.endpoint in OPEN:
        return
    secret = our_cookie().read(request)
    signed_in = database().run(lambda session: find_session(session, secret)) if secret else None
    if signed_in is None:
        raise Unauthenticated
    g.actor, g.csrf = signed_in
    if is_write and not compare_digest(request.form.get("csrf", "").encode(), g.csrf.encode()):
        raise ForeignForm


def our_cookie() -> Cookie:
    return cookie(concord().settings)


def is_from_here() -> bool:
    """Whether the browser says that this request comes from a page of this host; every browser says one or the other."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    # The scheme is left out: behind a proxy that ends TLS the browser's differs from ours.
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host
