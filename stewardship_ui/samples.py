"""Blind samples: two records that the machine joined, side by side without their weight; the person says whether it was right."""

from http import HTTPStatus

from flask import Blueprint, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.crosswalk import entity_of
from mdm import link_samples, policy
from mdm.access import Verb
from mdm.entity import EntityType
from mdm.golden import SourceView
from mdm.link_samples import Sample
from mdm.reading import Reader, read_sources
from stewardship_ui import forms
from stewardship_ui.quality import show, window
from stewardship_ui.rendering import Page
from stewardship_ui.showing import shown

Line = tuple[str, list[list[str]]]  # an attribute, and per record its texts


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/quality/sample", "quality_samples", choose, methods=["GET"])
    blueprint.add_url_rule("/quality/sample/<domain>", "quality_sample", sample, methods=["GET"])
    blueprint.add_url_rule("/quality/sample/<domain>", "quality_draw", draw, methods=["POST"])
    blueprint.add_url_rule("/quality/sample/<domain>/<sample_id>", "quality_judge", judge, methods=["POST"])


def choose() -> Page:
    policy.check(actor(), Verb.DECIDE)
    domains = sorted(policy.domains(actor(), Verb.DECIDE))
    return sample(domains[0]) if domains else show("matching_none", "ui.quality_samples", window=window())


def sample(domain: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    """The next pair that nobody has judged, or what to do instead."""
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.DECIDE, entity.name)
    pair, lines = database().run(lambda session: _next(session, entity))
    domains = sorted(policy.domains(actor(), Verb.DECIDE))
    context = {"entity": entity, "pair": pair, "rows": lines, "domains": domains, "problem": problem}
    return show("sample", "ui.quality_samples", status, window=window(), **context)


def _next(session: Session, entity: EntityType) -> tuple[Sample | None, list[Line]]:
    pair = link_samples.next_pair(session, entity, actor())
    if pair is None:
        return None, []
    views = [_source(session, entity, golden, record) for golden, record in zip(pair.goldens, pair.records, strict=True)]
    return pair, list(_lines(entity, views))


def _source(session: Session, entity: EntityType, golden_id: object, record_id: object) -> SourceView:
    found = read_sources(session, entity, Reader(actor(), request_id()), uuid_of(str(golden_id)))
    return next(view for view in found if view.record_id == record_id)


def _lines(entity: EntityType, views: list[SourceView]) -> list[Line]:
    rows = [(a.title, [shown(actor(), a, view.attributes.get(a.name), raw=True) for view in views]) for a in entity.attributes]
    held = ("Identifiers", [[f"{system} {value}" for system, value in view.identifiers] for view in views])
    return [(title, texts) for title, texts in [*rows, held] if any(texts)]


def draw(domain: str) -> Response | Page:
    entity = entity_of(concord().entities, domain)
    policy.check(actor(), Verb.DECIDE, entity.name)
    drawn = database().run(lambda session: link_samples.draw(session, entity, actor()))
    if not drawn:
        return sample(
            domain, "There is nothing to draw: this week's pairs are drawn already, or the machine has linked none.", HTTPStatus.CONFLICT
        )
    return forms.done(lambda: None, url_for("ui.quality_sample", domain=domain), lambda said, status: sample(domain, said, status))


def judge(domain: str, sample_id: str) -> Response | Page:
    entity, wanted = entity_of(concord().entities, domain), uuid_of(sample_id)
    policy.check(actor(), Verb.DECIDE, entity.name)

    def act() -> None:
        verdict = request.form.get("verdict", "")
        database().run(lambda session: link_samples.judge(session, entity, actor(), wanted, verdict))

    return forms.done(act, url_for("ui.quality_sample", domain=domain), lambda said, status: sample(domain, said, status))
