"""Which matching model a domain uses: the activated version, else the declaration's."""

import time
from dataclasses import dataclass

from sqlalchemy.orm import Session

from matching.model import from_json
from matching.score import Scorer
from mdm.db import fetch
from mdm.entity import EntityType

_FRESH_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Cached:
    scorer: Scorer
    read_at: float


_scorers: dict[tuple[str, EntityType], _Cached] = {}


def scorer(session: Session, entity: EntityType) -> Scorer:
    """The domain's scorer; an activation elsewhere takes effect here within a second."""
    place = (str(session.get_bind().engine.url), entity)
    cached = _scorers.get(place)
    if cached is not None and time.monotonic() - cached.read_at < _FRESH_SECONDS:
        return cached.scorer
    rows = fetch(session, "select version, model from match_model where domain = %s and active", (entity.name,))
    version = rows[0][0] if rows else entity.model.version
    if cached is not None and cached.scorer.model.version == version:
        found = cached.scorer
    else:
        found = Scorer(from_json(rows[0][1]) if rows else entity.model)
    _scorers[place] = _Cached(found, time.monotonic())
    return found
