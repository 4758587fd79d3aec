"""A page or its part: htmx asks for the part, everybody else gets the page that includes it. No second copy of any markup."""

from http import HTTPStatus
from typing import Any

from flask import render_template, request

Page = tuple[str, int]


def wants_part() -> bool:
    """Whether our own script asks, which swaps a part; going back in the browser's history asks for the page."""
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-History-Restore-Request") != "true"


def show(name: str, status: int = HTTPStatus.OK, **context: Any) -> Page:
    """`<name>/_fragment.html` for htmx, else `<name>/show.html`, which includes it."""
    return render_template(f"{name}/{'_fragment' if wants_part() else 'show'}.html", **context), status
