"""Another model is activated, and clusters change: what people have said stands, and who is together as before keeps the id of before."""

from dataclasses import replace

import pytest

from matching.model import Thresholds
from matching.score import Scorer
from mdm import model_versions, models, tasks
from mdm.access import SYSTEM_ACTOR
from mdm.db import execute, fetch
from mdm.entities import ENTITY_TYPES
from mdm.identity import Act, link_only, merge, move, split
from mdm.pins import NewPin, pin
from mdm.tasks import Ruling
from tests.mdm.everybody import everybody
from tests.mdm.test_models import check, deliver_people, keep, match_again, partition

PATIENT = ENTITY_TYPES["patient"]
# Weighs every pair otherwise, and links half of what the declared model does
CAREFUL = replace(
    PATIENT.model, version="careful", prior=PATIENT.model.prior - 14.0, thresholds=Thresholds(review=-12.0, link=13.9), clip=14.0
)
ACT = Act(actor=SYSTEM_ACTOR, reason="by phone", request_id="test")


@pytest.fixture
def apart(clean_database):
    """120 persons, 60 of them at a second hospital too, delivered under the careful model."""
    keep(clean_database, CAREFUL, active=True)
    clean_database.run(lambda s: models.current_scorer(s, PATIENT))
    deliver_people(clean_database)
    yield clean_database
    clean_database.run(lambda s: execute(s, "delete from match_model"))


def activate(database, version):
    found = database.run(lambda s: model_versions.find_model(s, ENTITY_TYPES, version))
    database.run(lambda s: model_versions.activate(s, *found, SYSTEM_ACTOR))
    match_again(database)
    check(database)


def here(number):
    return f"ehr-north/{number:08d}"


def there(number):
    return f"ehr-mercy/M{number}-0"


def weights(database):
    """How alike the two records of each person are by the declared model, where no veto stands."""
    stock, scorer = everybody(database, PATIENT), Scorer(PATIENT.model)
    columns = dict(zip(stock.names, stock.columns, strict=True))
    scores = {number: scorer.score(columns[here(number)], columns[there(number)]) for number in range(0, 120, 2)}
    return {number: score.weight for number, score in scores.items() if not score.vetoes}


class Stewards:
    """What people say, and what must stay true of it: who is together, who is not, and what is pinned."""

    def __init__(self, database):
        self._database = database
        self._ids = {f"{s}/{k}": i for s, k, i in self._ask("select system, key, id from source_record")}
        self.together, self.apart, self.pinned = set(), set(), {}

    def _ask(self, statement, *params):
        return self._database.run(lambda s: fetch(s, statement, params))

    def _do(self, act, *arguments):
        return self._database.run(lambda s: act(s, PATIENT, *arguments, ACT))

    def golden(self, name):
        return partition(self._database)[name]

    def answer(self, verdict, number):
        """The answer to the question whether both records of a person are one."""
        goldens = self.golden(here(number)), self.golden(there(number))
        listed = self._database.run(lambda s: tasks.list_tasks(s, kind="review", limit=500)).items
        task = next(t for t in listed if set(t.goldens) == set(goldens))
        ruling = Ruling(verdict, task.version, candidate=task.goldens[1])
        self._database.run(lambda s: tasks.decide(s, PATIENT, task.id, SYSTEM_ACTOR, ruling, "test"))
        (self.together if verdict == "same" else self.apart).add((here(number), there(number)))

    def join(self, act, one, other):
        self._do(act, self.golden(one), [self.golden(other)])
        self.together.add((one, other))

    def split(self, number):
        self._do(split, self.golden(here(number)), [[self._ids[there(number)]]])
        self.apart.add((here(number), there(number)))

    def move(self, number, other):
        self._do(move, self.golden(here(number)), [self._ids[there(number)]], self.golden(other))
        self.apart.add((here(number), there(number)))
        self.together.add((other, there(number)))

    def pin(self, name, value):
        self._do(pin, self.golden(name), NewPin("family_name", value))
        self.pinned[name] = value

    def check(self):
        """All of it stands, and is what the log says."""
        goldens = partition(self._database)
        assert {pair for pair in self.together if goldens[pair[0]] != goldens[pair[1]]} == set()
        assert {pair for pair in self.apart if goldens[pair[0]] == goldens[pair[1]]} == set()
        values = dict(self._ask('select golden_id, "values" from golden_version where recorded_to is null'))
        assert {name: values[goldens[name]]["family_name"] for name in self.pinned} == self.pinned

    def log(self):
        """Every decision, whether one took it back, and every word on a pair."""
        decisions = "select d.id, d.kind, exists (select 1 from decision r where r.revokes = d.id) from decision d order by d.id"
        return self._ask(decisions), self._ask("select low, high, verdict from edge where verdict is not null order by low, high")


def of_every_kind(database):
    """One decision of each kind, most of them against what the declared model says."""
    stewards, alike = Stewards(database), weights(database)
    link, goldens = PATIENT.model.thresholds.link, partition(database)
    parted = [n for n, weight in alike.items() if weight >= link and goldens[here(n)] != goldens[there(n)]]
    linked = [n for n in alike if goldens[here(n)] == goldens[there(n)]]
    stewards.answer("different", parted[0])
    stewards.answer("same", next(n for n, weight in alike.items() if PATIENT.model.thresholds.review <= weight < link))
    stewards.join(merge, here(1), here(3))
    stewards.join(link_only, here(5), here(7))
    stewards.split(linked[0])
    stewards.move(linked[1], here(9))
    stewards.pin(here(11), "Pinned")
    stewards.pin(here(parted[1]), "Pinned Too")
    return stewards


def clusters(database):
    """Who is together, with the golden record's id and what it says."""
    rows = database.run(
        lambda s: fetch(
            s,
            "select array_agg(l.record_id), l.golden_id, v.values from link l join golden_version v on v.golden_id = l.golden_id"
            " and v.recorded_to is null where l.recorded_to is null group by l.golden_id, v.values",
        )
    )
    return {frozenset(records): (golden, values) for records, golden, values in rows}


def survivors(database):
    return dict(database.run(lambda s: fetch(s, "select id, merged_into from golden_record where merged_into is not null")))


def test_decisions_of_every_kind_and_ids_of_what_did_not_change_stand(apart):
    stewards = of_every_kind(apart)
    stewards.check()
    log, before = stewards.log(), clusters(apart)
    activate(apart, PATIENT.model.version)
    after = clusters(apart)
    stewards.check()
    assert stewards.log() == log
    joined = after.keys() - before.keys()
    assert len(joined) > 20
    assert len(after.keys() & before.keys()) > 40
    assert {members: after[members] for members in after.keys() & before.keys()} == {m: before[m] for m in after.keys() & before.keys()}
    merged = survivors(apart)
    for members in joined:  # the oldest id, and the others answer with it
        parts = sorted(golden for records, (golden, _) in before.items() if records < members)
        assert after[members][0] == parts[0]
        assert {merged[golden] for golden in parts[1:]} == {parts[0]}


def test_a_stricter_model_parts_nothing_and_asks_of_no_pair_that_people_judged(apart):
    stewards = of_every_kind(apart)
    activate(apart, PATIENT.model.version)
    log, before = stewards.log(), clusters(apart)
    activate(apart, CAREFUL.version)
    assert clusters(apart) == before
    stewards.check()
    assert stewards.log() == log
    cuts = apart.run(lambda s: tasks.list_tasks(s, kind="cut", limit=500)).items
    goldens = partition(apart)
    assert len(cuts) > 20
    assert {goldens[one] for one, _ in stewards.together}.isdisjoint(golden for task in cuts for golden in task.goldens)
    apart.run(lambda s: tasks.decide(s, PATIENT, cuts[0].id, SYSTEM_ACTOR, Ruling("reject", cuts[0].version), "test"))
    log = stewards.log()
    activate(apart, PATIENT.model.version)
    activate(apart, CAREFUL.version)
    assert clusters(apart) == before
    stewards.check()
    assert stewards.log() == log
    again = apart.run(lambda s: tasks.list_tasks(s, kind="cut", limit=500)).items
    assert {task.goldens for task in again} == {task.goldens for task in cuts[1:]}
