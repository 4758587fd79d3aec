"""A mapping set, two stewards, and rules in one line: a test states only the fields it is about."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from api.app import create_app
from mdm.access import SYSTEM_ACTOR, Actor, NewPrincipal, Role, create_client
from mdm.db import Database
from mdm.ids import new_id
from mdm.mapping import NewRule, get_rule, write_drafts
from mdm.mapping_answers import Ask, one_snapshot, resolve
from mdm.mapping_approval import approve, retire
from mdm.mapping_releases import release, roll_back
from mdm.mapping_sets import By, Definition, Input, Output, get_set, has_set, put_set
from mdm.settings import Settings

TODAY = date(2026, 7, 15)
ANN, BOB = (Actor(new_id(), name, Role.STEWARD) for name in ("ann", "bob"))
PLAIN = Definition("Posting", (Input("department"), Input("payer_class"), Input("kind")), (Output("account"),))


@dataclass
class Set:
    """A set in a database of its own."""

    database: Database
    code: str

    def by(self, actor=ANN):
        return By(actor, "request-1", TODAY)

    def run(self, work):
        return self.database.run(work)

    def define(self, definition):
        read = self.revision if self.run(lambda s: has_set(s, self.code)) else None
        return self.run(lambda s: put_set(s, self.by(SYSTEM_ACTOR), self.code, definition, if_match=read))[0]

    @property
    def revision(self):
        return self.run(lambda s: get_set(s, self.code)).revision

    def draft(self, conditions, outputs=None, *, splits=None, author=ANN, **rest):
        given = outputs if isinstance(outputs, dict) else {"account": outputs}
        rule = NewRule(conditions, splits or [("100", given)], **rest)
        return self.run(lambda s: write_drafts(s, self.by(author), self.code, [rule]))[0]

    def approve(self, *drafts, actor=BOB):
        wanted = [(draft.id, draft.version) for draft in drafts]
        return self.run(lambda s: approve(s, self.by(actor), self.code, wanted, if_match=None))

    def rule(self, conditions, outputs=None, **rest):
        """The id of a rule in force."""
        made = self.draft(conditions, outputs, **rest)
        self.approve(made)
        return made.id

    def read(self, rule_id):
        return self.run(lambda s: get_rule(s, self.code, rule_id))

    def retire(self, rule, actor=BOB):
        return self.run(lambda s: retire(s, self.by(actor), self.code, rule.id, if_match=rule.version, reason="wrong"))

    def release(self, actor=BOB):
        return self.run(lambda s: release(s, self.by(actor), self.code, if_match=self.revision, note="")).number

    def roll_back(self, number, actor=BOB):
        return self.run(lambda s: roll_back(s, self.by(actor), self.code, number, if_match=self.revision, note="")).number

    def resolve(self, *inputs, as_of=TODAY, known_at=None, actor=SYSTEM_ACTOR):
        def work(session):
            one_snapshot(session)
            return resolve(session, actor, self.code, [Ask(each, as_of) for each in inputs], known_at)

        return self.run(work)

    def ask(self, *inputs, **rest):
        return self.resolve(*inputs, **rest).answers

    def one(self, inputs, **rest):
        return self.ask(inputs, **rest)[0]

    def now(self):
        with self.database.engine.connect() as connection:
            return connection.exec_driver_sql("select clock_timestamp()").scalar_one()


@pytest.fixture
def rules(clean_database) -> Set:
    made = Set(clean_database, "posting")
    made.define(PLAIN)
    return made


@pytest.fixture
def client(database, tmp_path):
    settings = Settings.from_env({"MDM_HOME": str(tmp_path), "MDM_PROFILE": "test", "MDM_LOG_LEVEL": "CRITICAL"})
    return Api(create_app(database, settings).test_client(), database, settings.key_pepper())


@dataclass
class Api:
    """The API called by whoever a test needs: client("steward") and client("steward", "2") are two persons."""

    client: object
    database: Database
    pepper: bytes

    def __post_init__(self):
        self._keys: dict[tuple[str, str], str] = {}

    def _key(self, role, who, scope):
        if (role, who) not in self._keys:
            wanted = NewPrincipal(f"{role} {who} {new_id()}", Role(role), **{name: frozenset(v) for name, v in scope.items()})
            with self.database.unit_of_work() as session:
                self._keys[role, who] = create_client(session, self.pepper, wanted, created_by="test")[1]
        return self._keys[role, who]

    def __call__(self, method, path, body=None, *, role="steward", who="1", if_match=None, **scope):
        headers = {"Authorization": f"Bearer {self._key(role, who, scope)}"}
        if if_match is not None:
            headers["If-Match"] = str(if_match)
        return self.client.open(f"/v1/mappings{path}", method=method, json=body, headers=headers)


def golden(database, domain="department", *, status="active", merged_into: UUID | None = None) -> UUID:
    golden_id = new_id()
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "insert into golden_record (id, domain, status, merged_into) values (%s, %s, %s, %s)",
            (golden_id, domain, "merged" if merged_into else status, merged_into),
        )
    return golden_id
