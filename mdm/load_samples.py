"""What a reader may see of the samples of a plan: rows of the file, and beside them what is stored.

Of patients, rows are shown as rejected ones are: to whoever uploaded them. What is stored other systems have said, so it is shown to those
alone who may read it in golden records too. Every look at patients is audited.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from mdm import audit, mask, policy
from mdm.access import Actor, Verb
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.load_rejected import sees_cells
from mdm.load_waves import waves_as_seen
from mdm.loads import LoadView

Sample = Mapping[str, Any]

_CELLS = frozenset({"values", "differences"})


def seen(session: Session, actor: Actor, view: LoadView, request_id: str = "") -> LoadView:
    """The load with the samples of its plan as the actor may see them."""
    entity, plan = ENTITY_TYPES.get(view.domain), view.plan
    if entity is None or plan is None or "samples" not in plan["report"]:
        return view
    sees = sees_cells(actor, view)
    samples = {
        outcome: [_shown(entity, actor, each) if sees else _bare(each) for each in kept]
        for outcome, kept in plan["report"]["samples"].items()
    }
    shown = [each for kept in samples.values() for each in kept if "values" in each]
    if entity.phi and shown:
        fields = sorted({name for each in shown for name in each["values"]})
        goldens = sorted({UUID(each["golden_id"]) for each in shown if each["golden_id"]})
        detail = {"load": str(view.id)}
        about: audit.About = {"domain": entity.name, "subjects": goldens, "fields": fields, "request_id": request_id, "detail": detail}
        audit.record(session, actor, "plan:read", **about)
    waves = waves_as_seen(entity, actor, plan["report"])
    return replace(view, plan={**plan, "report": {**plan["report"], **waves, "samples": samples}})


def _bare(sample: Sample) -> dict[str, Any]:
    return {name: told for name, told in sample.items() if name not in _CELLS}


def _shown(entity: EntityType, actor: Actor, sample: Sample) -> dict[str, Any]:
    told = dict(sample)
    if "values" in told:
        told["values"] = mask.values(entity, actor, told["values"])
    if "differences" in told:
        told["differences"] = _differences(entity, actor, told["differences"])
    return told


def _differences(entity: EntityType, actor: Actor, pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Which values differ tells what is stored, too: whoever may not read that is told nothing."""
    if entity.phi and not _reads_all(actor, entity):
        return {}
    before = mask.values(entity, actor, {name: pair[0] for name, pair in pairs.items() if pair[0] is not None})
    after = mask.values(entity, actor, {name: pair[1] for name, pair in pairs.items() if pair[1] is not None})
    return {name: [before.get(name), after.get(name)] for name in pairs}


def _reads_all(actor: Actor, entity: EntityType) -> bool:
    """Whether golden records are open to the actor whichever system said what is in them."""
    return policy.can(actor, Verb.READ, entity.name) and actor.systems is None
