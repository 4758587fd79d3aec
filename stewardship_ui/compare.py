"""Two golden records side by side by hand: the evidence as a task shows it, and the decision under the same tiers."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, g, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.crosswalk import entity_of
from api.errors import status_of
from mdm import byhand, casework, policy, tiers
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.errors import Conflict, Invalid
from mdm.golden import locate
from mdm.identity import Act
from mdm.undo import HOLD
from stewardship_ui.item import reader_of
from stewardship_ui.record_acts import reason, remedy, version
from stewardship_ui.rendering import Page, show

# The task on which it goes on, where somebody else decides too
ACTS: Mapping[str, Callable[[Session, EntityType, UUID, UUID, Act], UUID | None]] = {
    "same": byhand.merge_pair,
    "different": byhand.part_pair,
}


def add_routes(blueprint: Blueprint) -> None:
    at = "/records/<domain>/<golden_id>/compare/<other>"
    blueprint.add_url_rule("/records/compare", "choose_pair", choose_pair, methods=["POST"])
    blueprint.add_url_rule(at, "compare", compare, methods=["GET"])
    blueprint.add_url_rule(at, "decide_pair", decide_pair, methods=["POST"])


def choose_pair() -> Response:
    """The two records that were ticked in a list, as an address of their own."""
    chosen = [text.partition(" ") for text in request.form.getlist("golden")]
    if len(chosen) < 2 or len(chosen) > 2 or chosen[0][0] != chosen[1][0]:
        raise Invalid("Tick two records of one domain.")
    (domain, _, one), (_, _, other) = chosen
    return redirect(url_for("ui.compare", domain=domain, golden_id=uuid_of(one), other=uuid_of(other)), HTTPStatus.SEE_OTHER)


def compare(domain: str, golden_id: str, other: str) -> Page | Response:
    return _page(entity_of(concord().entities, domain), uuid_of(golden_id), uuid_of(other))


def decide_pair(domain: str, golden_id: str, other: str) -> Page | Response:
    entity, left, right = entity_of(concord().entities, domain), uuid_of(golden_id), uuid_of(other)
    policy.check(actor(), Verb.DECIDE, entity.name)
    act = ACTS.get(request.form.get("verdict", ""))
    if act is None:
        raise Invalid("Say whether they are the same.")
    try:
        said = Act(actor=actor(), reason=reason("reason"), request_id=request_id(), if_match=version(), hold=HOLD)
        waits = database().run(lambda session: act(session, entity, left, right, said))
    except (Conflict, Invalid) as error:
        return _page(entity, left, right, problem=remedy(error), status=status_of(error))
    where = url_for("ui.golden", domain=domain, golden_id=min(left, right), tab="history")
    return redirect(where if waits is None else url_for("ui.task", task_id=waits), HTTPStatus.SEE_OTHER)


def _page(entity: EntityType, left: UUID, right: UUID, *, problem: str = "", status: int = HTTPStatus.OK) -> Page | Response:
    def work(session: Session) -> tuple[list[UUID], Mapping[str, Any]]:
        policy.check(actor(), Verb.READ, entity.name)
        now = [locate(session, entity, each)[0] for each in (left, right)]
        return now, {} if now != [left, right] or left == right else _read(session, entity, left, right)

    now, held = database().run(work)
    if not held:
        return _elsewhere(entity, now)
    return show(
        "compare",
        status,
        entity=entity,
        problem=problem,
        may_decide=policy.can(actor(), Verb.DECIDE, entity.name),
        typed=request.form,
        section="ui.records",
        **held,
    )


def _elsewhere(entity: EntityType, now: list[UUID]) -> Response:
    """One of them was merged meanwhile: the pair of today, or the one record that both are."""
    one, other = now
    if one == other:
        return redirect(url_for("ui.golden", domain=entity.name, golden_id=one), HTTPStatus.FOUND)
    return redirect(url_for("ui.compare", domain=entity.name, golden_id=one, other=other), HTTPStatus.FOUND)


def _read(session: Session, entity: EntityType, left: UUID, right: UUID) -> dict[str, Any]:
    policy.check_visible(session, actor(), [left, right])
    case = casework.pair(session, entity, reader_of(entity.name), left, right, fixed=g.prefs.rows == "fixed")
    survivor = min((case.left, case.right), key=lambda side: side.golden_id)
    return {
        "case": case,
        "tier": tiers.of_merge(session, entity, [left, right]),
        "task_id": byhand.open_task(session, left, right),
        "version": survivor.version,
    }
