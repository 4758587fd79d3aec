"""The pages over the test database, people to open them, and tasks of every kind made by real deliveries."""

import re

import pytest
from argon2 import PasswordHasher

from api.app import create_app
from mdm import access
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.ids import new_id
from mdm.ingest import deliver_all
from mdm.settings import Settings
from mdm.standardise import Delivery
from stewardship_ui.overview import forget_totals
from stewardship_ui.sessions import open_session
from stewardship_ui.site import add_pages

PASSWORD = "correct horse battery"
HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="session")
def app(database, tmp_path_factory):
    home = str(tmp_path_factory.mktemp("home"))
    return add_pages(create_app(database, Settings.from_env({"MDM_HOME": home, "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})))


@pytest.fixture(autouse=True)
def _empty(clean_database):
    """Each test begins with nobody and nothing."""
    forget_totals()


@pytest.fixture(scope="session")
def password_hash():
    """Made once: argon2id takes its time on purpose, and most tests are not about it."""
    return PasswordHasher().hash(PASSWORD)


@pytest.fixture
def person(database, password_hash):
    """person(role, domains=..., systems=..., grants=...) -> the name of somebody new, whose password is PASSWORD."""

    def make(role="steward", *, domains=None, systems=None, grants=()):
        person_id = new_id()
        name = f"{role}-{person_id.hex}"
        with database.unit_of_work() as session:
            execute(
                session,
                "insert into principal (id, name, role, kind, domains, systems, grants, password_hash)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s)",
                (person_id, name, role, "person", domains, systems, list(grants), password_hash),
            )
        return name

    return make


class Browser:
    """A client that sends forms as a browser does: from our own pages, with the token they hold."""

    def __init__(self, app, database):
        self.client, self.database = app.test_client(), database

    def get(self, path, **options):
        return self.client.get(path, **options)

    def sign_in(self, name, password=PASSWORD, **fields):
        return self.client.post("/sign-in", data={"name": name, "password": password, **fields}, headers=HERE)

    def enter_as(self, name):
        """A session as signing in makes it, without the work of checking a password."""
        with self.database.unit_of_work() as session:
            person_id = fetch(session, "select id from principal where name = %s", (name,))[0][0]
            self.client.set_cookie("__Host-concord", open_session(session, access.person(session, person_id)))

    def token(self):
        return re.search(r'name="csrf" value="([^"]+)"', self.get("/").text)[1]

    def post(self, path, *, headers=HERE, **fields):
        return self.client.post(path, data={"csrf": self.token(), **fields}, headers=headers)


@pytest.fixture
def browser(app, database):
    return Browser(app, database)


@pytest.fixture
def enter(app, database, person):
    """enter(role, **scope) -> a browser in which somebody of this role and scope has signed in."""

    return lambda role, **scope: _signed_in(app, database, person(role, **scope))


@pytest.fixture
def steward(app, database, person):
    return _signed_in(app, database, person("steward"))


@pytest.fixture
def other(app, database, person):
    """Another steward, beside the first."""
    return _signed_in(app, database, person("steward"))


def _signed_in(app, database, name):
    signed_in = Browser(app, database)
    signed_in.name = name
    signed_in.enter_as(name)
    return signed_in


@pytest.fixture
def deliver(database, actor):
    """deliver(domain, system, attributes, identifiers=..., key=...) -> the result of one delivery."""

    def send(domain, system, attributes, identifiers=(), key=None):
        delivery = Delivery(system, key or new_id().hex, attributes, identifiers)
        return deliver_all(database, ENTITY_TYPES[domain], actor, [delivery], "test-request")[0]

    return send


MARIA = {
    "given_name": "Maria",
    "family_name": "Grayson",
    "birth_date": "1961-04-12",
    "sex": "F",
    "address_line": "12 Oak Street",
    "city": "Salem",
}
MARIE = {"given_name": "Marie", "family_name": "Grayson", "birth_date": "1961-05-12", "sex": "F"}
ROBERT = {
    "given_name": "Robert",
    "family_name": "Zimmer",
    "birth_date": "1988-01-30",
    "sex": "M",
    "address_line": "900 Pine Ave",
    "city": "Bath",
}
LINDA = {
    "given_name": "Linda",
    "family_name": "Okafor",
    "birth_date": "1942-11-03",
    "sex": "F",
    "address_line": "3 Elm Road",
    "city": "Austin",
}
SSN = "123-45-4410"


@pytest.fixture
def open_task(database):
    """open_task(kind) -> the address of the newest open task of this kind."""

    def find(kind):
        with database.unit_of_work() as session:
            return f"/tasks/{fetch(session, 'select max(id::text) from task where kind = %s and status = %s', (kind, 'open'))[0][0]}"

    return find


@pytest.fixture
def review(deliver, open_task):
    """A review that asks whether Maria and Marie are one."""
    deliver("patient", "ehr-north", MARIA, [("us-ssn", SSN)], key="m1")
    deliver("patient", "ehr-mercy", MARIE, key="m2")
    return open_task("review")


@pytest.fixture
def overlay(deliver, open_task):
    """A task about an update that turns Robert into Linda."""
    deliver("patient", "ehr-north", ROBERT, key="r1")
    deliver("patient", "ehr-north", LINDA, key="r1")
    return open_task("overlay")


@pytest.fixture
def cut(deliver, open_task):
    """A task that would part two records of one payer, because an update took away most of what joined them."""
    whole = {"name": "Harbor Health Plan", "city": "Bath", "postal_code": "04530"}
    deliver("payer", "billing-north", whole, [("us-naic", "12345")], key="h1")
    deliver("payer", "ehr-north", whole, [("us-naic", "12345")], key="h2")
    deliver("payer", "ehr-north", {"name": "Harbor Health Plan", "parent_name": "Tidal Group"}, key="h2")
    return open_task("cut")
