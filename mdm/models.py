"""Which matching model a domain uses: the activated version, else the declaration's."""

import time
from dataclasses import dataclass

from sqlalchemy.orm import Session

from matching.model import Model, from_json
from matching.score import Scorer
from mdm.db import address, fetch
from mdm.entity import EntityType

_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Cached:
    scorer: Scorer
    read_at: float


_scorers: dict[tuple[str, EntityType], _Cached] = {}


def scorer(session: Session, entity: EntityType) -> Scorer:
    """The domain's scorer; an activation elsewhere takes effect here within a second."""
    cached = _scorers.get((address(session), entity))
    if cached is not None and time.monotonic() - cached.read_at < _FRESH_SECONDS:
        return cached.scorer
    return current_scorer(session, entity)


def current_scorer(session: Session, entity: EntityType) -> Scorer:
    """The same, as the database has it at this moment: for work that an activation has asked for."""
    place = (address(session), entity)
    cached = _scorers.get(place)
    rows = fetch(session, "select version from match_model where domain = %s and active", (entity.name,))
    version = rows[0][0] if rows else entity.model.version
    if cached is not None and cached.scorer.model.version == version:
        found = cached.scorer
    else:
        found = Scorer(_stored(session, entity, version) if rows else entity.model)
    _scorers[place] = _Cached(found, time.monotonic())
    return found


def _stored(session: Session, entity: EntityType, version: str) -> Model:
    """Read only when it is a new one: with its frequencies a model has megabytes."""
    rows = fetch(session, "select model from match_model where domain = %s and version = %s", (entity.name, version))
    return from_json(rows[0][0])
