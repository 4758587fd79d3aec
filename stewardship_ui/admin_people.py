"""People and clients with their rights; rights are asked for by one administrator and agreed to by another. And what each role may do."""

from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from api.context import actor, concord, database, request_id, uuid_of
from api.errors import status_of
from api.keys import check_known
from mdm import authentication, mask, people, policy, second_person
from mdm.access import GRANTS, Actor, NewPrincipal, Role, Verb
from mdm.entity import Attribute, EntityType
from mdm.errors import Conflict, FieldProblem, Forbidden, Invalid
from stewardship_ui import forms
from stewardship_ui.admin_parts import choices, scope_said, show
from stewardship_ui.guard import check_fresh
from stewardship_ui.rendering import Page

_PAGES = {"models": "ui.admin_models", "keys": "ui.admin_keys"}  # where a change is settled, but for rights


def add_routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/admin/people", "admin_people", listing, methods=["GET"])
    blueprint.add_url_rule("/admin/people", "admin_invite", invite, methods=["POST"])
    blueprint.add_url_rule("/admin/people/<person_id>", "admin_person", person, methods=["GET"])
    blueprint.add_url_rule("/admin/people/<person_id>/rights", "admin_rights", ask_rights, methods=["POST"])
    blueprint.add_url_rule("/admin/people/<person_id>/reset", "admin_reset", ask_reset, methods=["POST"])
    blueprint.add_url_rule("/admin/people/<person_id>", "admin_person_act", act_on, methods=["POST"])
    blueprint.add_url_rule("/admin/changes/<change_id>", "admin_change", settle, methods=["POST"])
    blueprint.add_url_rule("/admin/roles", "admin_roles", roles, methods=["GET"])


def listing(problem: str = "", status: int = HTTPStatus.OK, issued: tuple[str, str] | None = None) -> Page:
    policy.check(actor(), Verb.KEYS)
    found, pending, choice = database().run(lambda s: (people.list_people(s), _changes(s), choices(s)))
    names = {str(each.id): each.name for each in found}
    return show(
        "people",
        "ui.admin_people",
        status,
        people=found,
        changes=pending,
        names=names,
        choices=choice,
        problem=problem,
        issued=issued,
        typed=request.form,
    )


def _changes(session: Session) -> list[second_person.Change]:
    return second_person.changes(session, actor(), second_person.RIGHTS, second_person.PASSWORD, second_person.FACTOR)


def invite() -> Response | Page:
    """Somebody new, with a password that is shown this once; they sign in as soon as a second administrator agrees."""
    policy.check(actor(), Verb.KEYS)
    check_fresh()
    name, password = forms.text("name"), authentication.new_password()
    try:
        wanted, reason = _wanted(name), forms.text("reason")
        database().run(lambda session: _invite(session, wanted, password, reason))
    except (Invalid, Conflict) as error:
        return listing(forms.words(error), HTTPStatus.UNPROCESSABLE_ENTITY)
    return listing(issued=(name, password))


def _wanted(name: str) -> NewPrincipal:
    if not name or len(name) > 100:
        raise Invalid(problems=(FieldProblem("missing", "/name", "a name of 1 to 100 characters"),))
    wanted = scope_said(name)
    policy.check_not_above(actor(), wanted)
    return wanted


def _invite(session: Session, wanted: NewPrincipal, password: str, reason: str) -> None:
    check_known(session, wanted)
    made = people.invite(session, actor(), wanted, password, request_id())
    second_person.ask(session, actor(), (second_person.RIGHTS, str(made)), people.rights(wanted, 1), reason)


def person(person_id: str, problem: str = "", status: int = HTTPStatus.OK) -> Page:
    policy.check(actor(), Verb.KEYS)
    wanted = uuid_of(person_id)
    view, pending, choice = database().run(lambda s: (people.get(s, wanted), _changes(s), choices(s)))
    mine = [change for change in pending if change.subject == str(wanted)]
    return show("person", "ui.admin_people", status, person=view, changes=mine, choices=choice, problem=problem, typed=request.form)


def ask_rights(person_id: str) -> Response | Page:
    policy.check(actor(), Verb.KEYS)
    check_fresh()
    wanted_id = uuid_of(person_id)

    def act() -> None:
        version, reason = forms.version(), forms.text("reason")

        def work(session: Session) -> None:
            wanted = _wanted(people.get(session, wanted_id).name)
            check_known(session, wanted)
            second_person.ask(session, actor(), (second_person.RIGHTS, str(wanted_id)), people.rights(wanted, version), reason)

        database().run(work)

    return forms.done(act, url_for("ui.admin_person", person_id=wanted_id), lambda said, status: person(person_id, said, status))


def ask_reset(person_id: str) -> Response | Page:
    """For somebody who lost what they sign in with: another password, or none of a second factor. A second administrator agrees."""
    policy.check(actor(), Verb.KEYS)
    check_fresh()
    wanted, reason = uuid_of(person_id), forms.text("reason")
    try:
        if request.form.get("what") == second_person.PASSWORD:
            made = database().run(lambda session: second_person.ask_password(session, actor(), wanted, reason))
            name = database().run(lambda session: people.get(session, wanted).name)
            return listing(issued=(name, made))
        database().run(lambda session: second_person.ask_without_factor(session, actor(), wanted, reason))
    except (Invalid, Conflict, Forbidden) as error:
        return person(person_id, forms.words(error), status_of(error))
    return redirect(url_for("ui.admin_person", person_id=wanted), HTTPStatus.SEE_OTHER)


def act_on(person_id: str) -> Response | Page:
    """At once and by one person: what takes rights away, and another try at a password."""
    policy.check(actor(), Verb.KEYS)
    wanted, done = uuid_of(person_id), people.disable if request.form.get("act") == "disable" else people.unlock

    def work() -> None:
        database().run(lambda session: done(session, actor(), wanted, request_id()))

    return forms.done(work, url_for("ui.admin_person", person_id=wanted), lambda said, status: person(person_id, said, status))


def settle(change_id: str) -> Response | Page:
    """A second person agrees or refuses; the asker takes back. One address for every kind: the kind's own verb is asked for."""
    check_fresh()
    wanted, agrees = uuid_of(change_id), request.form.get("answer") == "agree"
    back = url_for(_PAGES.get(request.form.get("back", ""), "ui.admin_people"))
    act = second_person.agree if agrees else second_person.refuse
    return forms.done(lambda: database().run(lambda session: act(session, actor(), wanted, request_id())), back, _not_settled)


def _not_settled(said: str, status: int) -> Page:
    return show("refused", "ui.admin_people", status, problem=said)


def roles() -> Page:
    """What each role may do, and how it sees each attribute: computed by the rules themselves, for somebody with the role and no grant."""
    policy.check(actor(), Verb.CONFIGURE)
    bare = {role: Actor(UUID(int=0), "", role) for role in Role}
    verbs = [(verb.value, [verb in policy.ROLE_VERBS[role] for role in Role]) for verb in Verb]
    domains = [
        (entity, [sorted(verb.value for verb in Verb if policy.can(bare[role], verb, entity.name)) for role in Role])
        for entity in concord().entities.values()
    ]
    masks = [
        (entity, [(attribute, [_sees(each, entity, attribute) for each in bare.values()]) for attribute in entity.attributes])
        for entity in concord().entities.values()
    ]
    return show("roles", "ui.admin_roles", roles=[role.value for role in Role], verbs=verbs, domains=domains, masks=masks, grants=GRANTS)


def _sees(reader: Actor, entity: EntityType, attribute: Attribute) -> str:
    """How this attribute reaches the reader: "whole", "masked", or "" where the domain is not read at all."""
    if not policy.can(reader, Verb.READ, entity.name):
        return ""
    return "whole" if mask.sees(reader, attribute.sensitivity) else "masked"
