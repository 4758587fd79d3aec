"""What a key may ask of patients: counted before the answer; a walk through numbers nobody has is told to log, metrics and audit."""

from typing import cast

import structlog
from flask import current_app

from api.context import actor, concord, database, request_id
from api.health import metrics
from mdm import audit
from mdm.budget import Budget
from mdm.entity import EntityType
from mdm.question import VALUES_MAX

_EXTENSION = "concord.budget"


def take(entity: EntityType, values: int) -> None:
    """Raises OverBudget; only of patients is anything counted."""
    if entity.phi:
        _budget().take(actor().id, values)


def note_unknown(entity: EntityType, values: int) -> None:
    """How many of the answers were: nobody knows this value."""
    alarm = _budget().note_unknown(actor().id, values) if entity.phi and values else None
    if alarm is None:
        return
    told = {"asked": alarm.asked, "unknown": alarm.unknown}
    structlog.get_logger("concord").warning("lookup_walk", principal=actor().name, request_id=request_id(), **told)
    metrics().count_walk()
    database().run(
        lambda session: audit.record(
            session, actor(), "crosswalk:walk", domain=entity.name, request_id=request_id(), outcome="alarm", detail=told
        )
    )


def _budget() -> Budget:
    """The application's. Each of the web processes has its share; one translation always fits."""
    settings = concord().settings
    most = max(VALUES_MAX, settings.lookup_budget // settings.web_workers)
    return cast("Budget", current_app.extensions.setdefault(_EXTENSION, Budget(most)))
