"""The versions of a domain's model: listed, found, made with other thresholds, activated and re-activated.

Activation changes which weights decide from the next delivery on, and starts a job that brings what is stored up to them; what people
have decided stands.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from math import isfinite
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from matching.model import Model, Thresholds, from_json, to_json
from mdm import audit
from mdm.access import Actor
from mdm.db import execute, fetch, lock, text_key
from mdm.entity import EntityType
from mdm.errors import Invalid, NotFound
from mdm.jobs import MATCH_ALL, MODEL_EFFECT, enqueue
from mdm.jsonio import dumps


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A stored model version, without the model."""

    domain: str
    version: str
    active: bool
    metrics: Mapping[str, Any]
    activated_by: str | None
    created_at: datetime | None


def active_version(session: Session, entity: EntityType) -> str:
    rows = fetch(session, "select version from match_model where domain = %s and active", (entity.name,))
    return str(rows[0][0]) if rows else entity.model.version


def models(session: Session) -> list[ModelLine]:
    """Every stored version, the newest first."""
    rows = fetch(
        session,
        "select domain, version, active, metrics, activated_by, created_at from match_model order by domain, created_at desc, version",
    )
    return [ModelLine(*row) for row in rows]


def activations(session: Session) -> Mapping[tuple[str, str], datetime]:
    """When each version was activated last, by domain and version. The audit alone tells, of which all is read: not for a page."""
    rows = fetch(
        session,
        "select domain, detail ->> 'version', max(at) from audit where action = 'model:activate' and domain is not null group by 1, 2",
    )
    return {(domain, version): at for domain, version, at in rows}


def find_model(session: Session, entities: Mapping[str, EntityType], version: str) -> tuple[EntityType, Model]:
    """A stored version, or the declared one of a domain. Raises NotFound."""
    rows = fetch(session, "select domain, model from match_model where version = %s", (version,))
    if rows and rows[0][0] in entities:
        return entities[rows[0][0]], from_json(rows[0][1])
    for entity in entities.values():
        if entity.model.version == version:
            return entity, entity.model
    raise NotFound("no model has this version; `mdm match models` lists them")


def activate(session: Session, entity: EntityType, model: Model, actor: Actor) -> UUID:
    """Use this version from now on, and bring what is stored up to it in the background; the job's id.

    A job that is under way for the version before begins again when it sees this one.
    """
    lock_activation(session, entity)
    execute(session, "update match_model set active = false where domain = %s and active", (entity.name,))
    # The declared version has no row: it is what a domain uses while no other is active.
    execute(
        session,
        "update match_model set active = true, activated_by = %s where domain = %s and version = %s",
        (actor.name, entity.name, model.version),
    )
    audit.record(session, actor, "model:activate", domain=entity.name, detail={"version": model.version})
    return enqueue(session, MATCH_ALL, {"domain": entity.name}, dedupe_key=f"{MATCH_ALL}:{entity.name}", queue="bulk")


def lock_activation(session: Session, entity: EntityType) -> None:
    """One activation at a time, and none while a job that matched everything ends."""
    lock(session, "model", {text_key(entity.name)})


def _checked(review: float, link: float, most: float) -> Thresholds:
    """Raises Invalid for thresholds that are no numbers, out of reach or the wrong way round."""
    if not (isfinite(review) and isfinite(link) and -most <= review < link <= most):
        raise Invalid.at("bad_thresholds", "/review", f"review must lie below link, both between -{most:g} and {most:g}")
    return Thresholds(review, link)


def with_thresholds(session: Session, entity: EntityType, thresholds: tuple[float, float], actor: Actor) -> str:
    """A version that differs from the one in use by its thresholds (review, link) alone; its name. It is not used until activated."""
    lock_activation(session, entity)  # so that two at once are not named alike
    _, model = find_model(session, {entity.name: entity}, active_version(session, entity))
    wanted = _checked(*thresholds, model.clip)
    made = fetch(session, "select count(*) from match_model where domain = %s", (entity.name,))[0][0]
    version = f"{entity.model.version}-h{made + 1}"
    changed = replace(model, version=version, thresholds=wanted)
    execute(
        session,
        "insert into match_model (domain, version, model, metrics) values (%s, %s, %s::jsonb, %s::jsonb)",
        (entity.name, version, dumps(to_json(changed)).decode(), dumps({"thresholds_of": model.version}).decode()),
    )
    audit.record(session, actor, "model:thresholds", domain=entity.name, detail={"version": version, "of": model.version})
    return version


@dataclass(frozen=True, slots=True)
class Counted:
    """What a version would change, as it was counted last, and when."""

    effect: Mapping[str, Any]
    at: datetime


def count_effect(session: Session, entity: EntityType, version: str, actor: Actor) -> UUID:
    """Count in the background what the version would change; the job's id. Asked twice, it is counted once."""
    payload, once = {"domain": entity.name, "version": version}, f"{MODEL_EFFECT}:{entity.name}:{version}"
    return enqueue(session, MODEL_EFFECT, payload, dedupe_key=once, queue="bulk", created_by=actor.name)


def counted_effects(session: Session) -> Mapping[tuple[str, str], Counted]:
    """The counted effects, by domain and version."""
    rows = fetch(session, "select domain, version, effect, counted_at from model_effect")
    return {(row[0], row[1]): Counted(row[2], row[3]) for row in rows}
