"""Everything that changes identity, in any order: after every step the invariants hold, ids do not churn, and what is undone is undone.

500 runs of up to 30 steps, in ten pieces with seeds of their own, the same each time: eight of patients, two of cost centers, whose edges
follow. CONCORD_STATE_EXAMPLES sets how many runs a piece makes, CONCORD_STATE_SEED the first seed, to look elsewhere.
"""

import os
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import make_url

from matching.model import Model, to_json
from mdm.access import SYSTEM_ACTOR
from mdm.db import Database, execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.entity import EntityType
from mdm.errors import Conflict, Invalid
from mdm.identity import Act, link_only, merge, move, split
from mdm.ingest import deactivate, deliver_all
from mdm.invariants import violations
from mdm.jsonio import dumps
from mdm.models import current_scorer
from mdm.old_records import look
from mdm.pins import NewPin, pin
from mdm.recompute import misplaced_after
from mdm.relate import relate
from mdm.rematch import settle_pairs
from mdm.standardise import Delivery
from mdm.statements import Assertion
from mdm.tasks import VERDICTS, Ruling, decide, list_tasks
from mdm.undo import UNDOABLE, undo
from tests.conftest import empty
from tests.mdm.test_laws import one_per_key, patients
from tests.mdm.test_undo import picture
from tests.relationships.test_laws import AUTHOR, periods
from tests.relationships.test_laws import deliveries as centers

PATIENT, CENTER = ENTITY_TYPES["patient"], ENTITY_TYPES["cost_center"]
ACT = Act(actor=SYSTEM_ACTOR, reason="", request_id="test")
PIECES = 10
EXAMPLES = int(os.environ.get("CONCORD_STATE_EXAMPLES", "50"))
FIRST_SEED = int(os.environ.get("CONCORD_STATE_SEED", "1"))
NUMBER = st.integers(0, 999)


def strict(model: Model, **limits: float) -> Model:
    """The other model of a domain: it links less."""
    return replace(model, version="strict", thresholds=replace(model.thresholds, link=limits["link"]), clip=limits["clip"])


class Identity(RuleBasedStateMachine):
    """Records of a few systems, and stewards who are never short of an opinion."""

    database: Database
    entity: EntityType
    other_model: str
    pinned: tuple[str, tuple[str, ...]]
    before: dict[frozenset[UUID], UUID]

    def start(self, deliveries: list[Delivery]) -> None:
        """Never with nothing: most of what can happen needs somebody whom it happens to."""
        empty(self.database)
        self.database.run(lambda session: current_scorer(session, self.entity))
        self.before = {}
        self.send(deliveries)

    def send(self, deliveries: list[Delivery]) -> None:
        deliver_all(self.database, self.entity, SYSTEM_ACTOR, deliveries, "test")

    @precondition(lambda self: self.before)
    @rule(number=NUMBER)
    def deactivate(self, number: int) -> None:
        rows = self.ask("select system, key from source_record order by id")
        deactivate(self.database, self.entity, SYSTEM_ACTOR, *rows[number % len(rows)], "test")

    @precondition(lambda self: len(self.before) > 1)
    @rule(number=NUMBER, undone=st.booleans())
    def merge(self, number: int, *, undone: bool) -> None:
        goldens = sorted(self.before.values())
        kept, gone = goldens[number % len(goldens)], goldens[(number + 1) % len(goldens)]
        self.act(lambda session: merge(session, self.entity, kept, [gone], ACT), undone=undone)

    @precondition(lambda self: len(self.before) > 1)
    @rule(number=NUMBER, undone=st.booleans())
    def link_only(self, number: int, *, undone: bool) -> None:
        goldens = sorted(self.before.values())
        kept, gone = goldens[number % len(goldens)], goldens[(number + 1) % len(goldens)]
        self.act(lambda session: link_only(session, self.entity, kept, [gone], ACT), undone=undone)

    @precondition(lambda self: any(len(members) > 1 for members in self.before))
    @rule(number=NUMBER, undone=st.booleans())
    def split(self, number: int, *, undone: bool) -> None:
        golden, records = self.wide(number)
        self.act(lambda session: split(session, self.entity, golden, [records[: 1 + number % (len(records) - 1)]], ACT), undone=undone)

    @precondition(lambda self: len(self.before) > 1 and any(len(members) > 1 for members in self.before))
    @rule(number=NUMBER, undone=st.booleans())
    def move(self, number: int, *, undone: bool) -> None:
        golden, records = self.wide(number)
        others = sorted(g for g in self.before.values() if g != golden)
        self.act(lambda session: move(session, self.entity, golden, records[:1], others[number % len(others)], ACT), undone=undone)

    @precondition(lambda self: self.before)
    @rule(number=NUMBER, undone=st.booleans())
    def pin(self, number: int, *, undone: bool) -> None:
        golden = sorted(self.before.values())[number % len(self.before)]
        attribute, values = self.pinned
        self.act(lambda session: pin(session, self.entity, golden, NewPin(attribute, values[number % len(values)]), ACT), undone=undone)

    @rule(number=NUMBER)
    def judge(self, number: int) -> None:
        with self.database.unit_of_work() as session:
            tasks = list_tasks(session).items
        if tasks:
            task = tasks[number % len(tasks)]
            verdicts = VERDICTS[task.kind]
            candidate = task.goldens[1] if task.kind == "review" else None
            ruling = Ruling(verdicts[number % len(verdicts)], task.version, candidate)
            self.try_to(lambda session: decide(session, self.entity, task.id, SYSTEM_ACTOR, ruling, "test"))

    @rule(number=NUMBER)
    def undo(self, number: int) -> None:
        """Any decision that stands, not only the last."""
        rows = self.ask(
            "select id from decision d where kind = any(%s) and not exists (select 1 from decision r where r.revokes = d.id) order by id",
            sorted(UNDOABLE),
        )
        if rows:
            self.try_to(lambda session: undo(session, self.entity, rows[number % len(rows)][0], ACT))

    @rule()
    def change_model(self) -> None:
        """Activate the other model, and weigh anew whatever blocking meets."""
        statement = (
            "insert into match_model (domain, version, model, active) values (%s, 'strict', %s::jsonb, true)"
            " on conflict (domain, version) do update set active = not match_model.active"
        )
        self.database.run(lambda session: execute(session, statement, (self.entity.name, self.other_model)))
        pairs = self.ask(
            "select low, high from edge where verdict is null union select a.record_id, b.record_id from match_key a join match_key b"
            " on a.key = b.key and a.record_id < b.record_id order by 1, 2"
        )
        self.database.run(lambda session: settle_pairs(session, self.entity, [(low, high) for low, high in pairs]))

    @invariant()
    def nothing_is_broken(self) -> None:
        """Every promise of `mdm doctor --recompute`; and who is together as before has the id of before."""
        with self.database.unit_of_work() as session:
            assert violations(session, deep=True) == []
            assert misplaced_after(session, self.entity) == (set(), None)
            rows = fetch(session, "select golden_id, array_agg(record_id) from link where recorded_to is null group by golden_id")
        now = {frozenset(records): golden for golden, records in rows}
        assert {golden for members, golden in now.items() if self.before.get(members, golden) != golden} == set()
        self.before = now
        assert self.database.run(lambda session: look(session, self.entity)).old == []

    def act(self, what: Any, *, undone: bool) -> None:
        """Do something; where it is undone at once, everything is as before, but for ids that a split gave out."""
        before = picture(self.database)
        done = self.try_to(what)
        if done is not None and undone:
            self.database.run(lambda session: undo(session, self.entity, done.decision_id, ACT))
            after = picture(self.database)
            assert after[1:] == before[1:]
            given_out = [row for row in after[0] if row not in before[0]]
            assert {row[0] for row in given_out}.isdisjoint(row[0] for row in before[0])
            assert {row[1] for row in given_out} <= {"merged"}

    def try_to(self, what: Any) -> Any:
        try:
            return self.database.run(what)
        except (Conflict, Invalid):
            return None

    def wide(self, number: int) -> tuple[UUID, list[UUID]]:
        found = sorted((golden, sorted(members)) for members, golden in self.before.items() if len(members) > 1)
        return found[number % len(found)]

    def ask(self, statement: Any, *params: Any) -> list[Any]:
        return self.database.run(lambda session: fetch(session, statement, params))


class Patients(Identity):
    """Of three hospitals."""

    entity = PATIENT
    other_model = dumps(to_json(strict(PATIENT.model, link=13.9, clip=14.0))).decode()
    pinned = ("family_name", ("Pinned", "Smith"))

    @initialize(deliveries=st.lists(patients(), min_size=2, max_size=5).map(one_per_key))
    def begin(self, deliveries: list[Delivery]) -> None:
        self.start(deliveries)

    @rule(delivery=patients())
    def deliver(self, delivery: Delivery) -> None:
        self.send([delivery])


class Centers(Identity):
    """Of two ledgers; most say what they roll up to, or what has replaced them, and so do stewards."""

    entity = CENTER
    other_model = dumps(to_json(strict(CENTER.model, link=9.0, clip=12.0))).decode()
    pinned = ("name", ("Pinned", "Ward A Nursing"))

    @initialize(rows=st.lists(centers(), min_size=2, max_size=5).map(one_per_key))
    def begin(self, rows: list[Delivery]) -> None:
        self.start(rows)

    @rule(row=centers())
    def deliver(self, row: Delivery) -> None:
        self.send([row])

    @precondition(lambda self: len(self.before) > 1)
    @rule(number=NUMBER, period=periods())
    def relate(self, number: int, period: tuple[date | None, date | None]) -> None:
        goldens = sorted(self.before.values())
        said = Assertion("rolls_up_to", None, None, goldens[(number + 1) % len(goldens)], None, *period)
        self.try_to(lambda session: relate(session, CENTER, goldens[number % len(goldens)], AUTHOR, said))


@pytest.fixture
def planned_once(clean_database):
    """Among a handful of rows, planning a statement anew takes longer than what it does."""
    url = make_url(clean_database.url).update_query_dict({"options": "-c plan_cache_mode=force_generic_plan"})
    database = Database(url.render_as_string(hide_password=False))
    yield database
    database.close()


@pytest.mark.parametrize("piece", range(PIECES))
def test_whatever_happens_nothing_breaks(planned_once, piece):
    kind = Centers if piece % 5 == 4 else Patients
    machine = type(f"{kind.__name__}{piece}", (kind,), {"database": planned_once})
    limits = settings(
        max_examples=EXAMPLES,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        database=None,
        phases=[Phase.generate],  # shrinking costs minutes; what failed can be repeated by its seed
    )
    run_state_machine_as_test(seed(FIRST_SEED + piece)(machine), settings=limits)
