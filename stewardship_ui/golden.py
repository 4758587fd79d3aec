"""One golden record: its values and why these, its identifiers, the source records behind it, and what it said before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.crosswalk import entity_of
from mdm import mask
from mdm.entity import Attribute, EntityType
from mdm.golden import GoldenVersionView, GoldenView, SourceView
from mdm.reading import Reader, read_golden, read_history, read_sources
from stewardship_ui.showing import shown, tag_only
from stewardship_ui.words import RULES


@dataclass(frozen=True, slots=True)
class Origin:
    """A golden value: where it comes from, by which rule, and what other sources say."""

    title: str
    texts: Sequence[str]
    source: str
    rule: str
    losing: Sequence[tuple[str, Sequence[str]]]


Change = tuple[str, Sequence[str], Sequence[str]]  # attribute, before, after


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/golden/<domain>/<golden_id>", "golden", golden, methods=["GET"])


def golden(domain: str, golden_id: str) -> str | Response:
    entity, wanted = entity_of(concord().entities, domain), uuid_of(golden_id)
    view, sources, history = database().run(lambda session: _read(session, entity, wanted))
    if view.redirected_from is not None:
        # Never a lasting redirect: an undone merge brings the old id back.
        formerly = str(view.redirected_from)[-6:]
        return redirect(url_for("ui.golden", domain=domain, golden_id=view.id, formerly=formerly), HTTPStatus.FOUND)
    return render_template(
        "golden.html",
        entity=entity,
        golden=view,
        line=mask.line(entity, view.values),
        origins=_origins(entity, view, sources),
        sources=[(source, _texts(entity, source.attributes)) for source in sources],
        versions=_versions(entity, history),
        formerly=tag_only(request.args.get("formerly", "")),
    )


def _read(session: Session, entity: EntityType, golden_id: UUID) -> tuple[GoldenView, list[SourceView], list[GoldenVersionView]]:
    reader = Reader(actor(), request_id())
    view = read_golden(session, entity, reader, golden_id)
    return view, read_sources(session, entity, reader, view.id), read_history(session, entity, reader, view.id)


def _origins(entity: EntityType, golden: GoldenView, sources: Sequence[SourceView]) -> list[Origin]:
    names = {str(view.record_id): f"{view.system} {view.key}" for view in sources}
    return [_origin(a, golden, names) for a in entity.attributes if golden.values.get(a.name)]


def _origin(attribute: Attribute, golden: GoldenView, names: Mapping[str, str]) -> Origin:
    why = golden.provenance.get(attribute.name, {})
    source = names.get(str(why.get("record_id")), "")
    losing = [(names.get(str(lost["record_id"]), ""), shown(actor(), attribute, lost["value"])) for lost in why.get("losing", ())]
    rule = RULES.get(why.get("rule", ""), why.get("rule", ""))
    return Origin(attribute.title, shown(actor(), attribute, golden.values[attribute.name]), source, rule, losing)


def _texts(entity: EntityType, values: Mapping[str, Any]) -> list[tuple[str, Sequence[str]]]:
    return [(a.title, shown(actor(), a, values[a.name], raw=True)) for a in entity.attributes if values.get(a.name)]


def _versions(entity: EntityType, history: Sequence[GoldenVersionView]) -> list[tuple[GoldenVersionView, list[Change]]]:
    """Newest first, each with what it changed."""
    before: list[Mapping[str, Any]] = [version.values for version in history[1:]]
    return [(view, _changes(entity, old, view.values)) for view, old in zip(history, [*before, {}], strict=True)]


def _changes(entity: EntityType, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    return [
        (a.title, shown(actor(), a, old.get(a.name)), shown(actor(), a, new.get(a.name)))
        for a in entity.attributes
        if old.get(a.name) != new.get(a.name)
    ]
