"""Is it alive, is it ready: open to everybody. How is it doing: in production for a key or this machine. No names, versions, values."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, current_app, request
from marshmallow import Schema, fields
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.auth import check_insider
from api.context import database
from api.errors import problem
from api.logging import route_template, seconds_since_start
from api.routing import new_blueprint
from mdm import canary
from mdm.db import DatabaseError
from mdm.errors import Busy, Unavailable
from mdm.revision import is_current

_EXTENSION = "concord.metrics"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class HealthSchema(Schema):
    """Whether the service does its work."""

    status = fields.String(required=True)


class Metrics:
    """Requests of this process, by route template, method and status."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("concord_requests", "Requests answered", labels, registry=self.registry)
        self._seconds = Histogram("concord_request_seconds", "Time to answer", labels[:2], registry=self.registry, buckets=_SECONDS)
        self._canaries = Gauge("mdm_canary_age_seconds", "Since the queue was last heard to be served", ("queue",), registry=self.registry)
        self._walks = Counter("concord_lookup_walks", "Keys that asked for mostly unknown values of patients", registry=self.registry)
        # Finding the children by their labels takes longer than counting; there are as many as routes and statuses, hence few.
        self._found: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def show_canaries(self, ages: Mapping[str, float]) -> None:
        """The workers' health, as the database knows it; an empty mapping takes former figures away."""
        self._canaries.clear()
        for queue, seconds in ages.items():
            self._canaries.labels(queue).set(seconds)

    def count_walk(self) -> None:
        """A key seems to try numbers."""
        self._walks.inc()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request answered; the hot routes in front of Flask call it too."""
        found = self._found.get((method, route, status))
        if found is None:
            found = self._requests.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._found[method, route, status] = found
        requests, times = found
        requests.inc()
        times.observe(seconds)


def register(app: Flask) -> None:
    """Count every request of this application."""
    app.extensions[_EXTENSION] = Metrics()
    app.after_request(_count)


def metrics() -> Metrics:
    found = current_app.extensions[_EXTENSION]
    if not isinstance(found, Metrics):
        raise TypeError("the application has no metrics")
    return found


def _count(response: Response) -> Response:
    # Somebody's own method name would be a label of its own.
    method = request.method if request.url_rule or request.method in {"GET", "PUT", "POST", "DELETE"} else "other"
    metrics().count(method, route_template(), response.status_code, seconds_since_start())
    return response


def blueprint() -> Any:
    made = new_blueprint("health", "", "Health of the service.")
    made.route("/livez")(made.response(200, HealthSchema)(livez))
    made.route("/readyz")(made.response(200, HealthSchema)(made.alt_response(503, "SERVICE_UNAVAILABLE")(readyz)))
    made.route("/metrics")(made.response(200, {"type": "string"}, content_type="text/plain")(show_metrics))
    return made


def livez() -> Any:
    """The process answers."""
    return {"status": "alive"}


def readyz() -> Any:
    """The database answers and has this version's schema."""
    try:
        ready = is_current(database())
    except (Unavailable, Busy):
        return problem(503, "unavailable", "The database cannot be reached; try again in a moment.")
    except DatabaseError:
        ready = False
    return {"status": "ready"} if ready else problem(503, "not_migrated", "The database has not been migrated to this version yet.")


def show_metrics() -> Any:
    """Counts and times of this process, and the age of each queue's canary, for Prometheus."""
    check_insider(loopback=True)
    try:
        metrics().show_canaries(database().run(canary.ages))
    except (Unavailable, Busy, DatabaseError):  # no figure is honest, an old one is not
        metrics().show_canaries({})
    return Response(generate_latest(metrics().registry), content_type=CONTENT_TYPE_LATEST)
