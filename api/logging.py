"""The log line of a request, with its id: route templates, never addresses; names of clients, never of patients."""

import time

import structlog
from flask import Flask, Response, g, request

from api.context import request_id


def register(app: Flask) -> None:
    """Log every request once it is answered, and put its id and the headers of a private answer on it."""
    app.before_request(_start)
    app.after_request(_finish)


def route_template() -> str:
    return request.url_rule.rule if request.url_rule else "unmatched"


def seconds_since_start() -> float:
    return time.perf_counter() - float(g.get("started", time.perf_counter()))


def _start() -> None:
    g.started = time.perf_counter()


def _finish(response: Response) -> Response:
    response.headers["X-Request-Id"] = request_id()
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Referrer-Policy", "same-origin")
    actor = g.get("actor")
    structlog.get_logger("concord").info(
        "request",
        method=request.method,
        route=route_template(),
        status=response.status_code,
        milliseconds=round(seconds_since_start() * 1000, 1),
        principal=actor.name if actor else None,
        request_id=request_id(),
    )
    return response
