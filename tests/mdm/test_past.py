"""What an interface was told on a day, it is told again: golden records and crosswalk answers over random histories."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mdm import golden
from mdm.access import SYSTEM_ACTOR
from mdm.assertions import unmap
from mdm.consult import Asker, consult
from mdm.db import Database, fetch
from mdm.entities import ENTITY_TYPES
from mdm.errors import Invalid, NotFound
from mdm.feed import publish
from mdm.ingest import deliver_all
from mdm.misses import Misses
from mdm.misswork import NO_TARGET, Miss
from mdm.question import Question
from mdm.standardise import Delivery
from mdm.tasks import VERDICTS, Ruling, decide, list_tasks
from tests.conftest import empty
from tests.mdm.test_laws import PATIENT, SLOW, patients

DEPARTMENT = ENTITY_TYPES["department"]
SYSTEMS = ("ehr-north", "ehr-mercy", "billing-north")
VALUES = (*map(str, range(1, 7)), "01", "77")
DAY = date(2026, 11, 1)
ACTS = st.one_of(
    patients(),
    patients().map(lambda delivery: replace(delivery, status="inactive")),
    st.tuples(st.sampled_from(("review", "cut", "overlay", "mapping")), st.integers(0, 5)),
    st.just("unmap"),
)


def moment(database: Database) -> datetime:
    with database.unit_of_work() as session:
        at: datetime = fetch(session, "select clock_timestamp()")[0][0]
    return at


def act(database: Database, what: Any) -> None:
    """One thing that happens: a delivery, a judgement of an open task, a mapping taken back."""
    if isinstance(what, Delivery):
        deliver_all(database, PATIENT, SYSTEM_ACTOR, [what], "test")
    elif what == "unmap":
        _unmap(database)
    else:
        _judge(database, *what)


def _judge(database: Database, kind: str, choice: int) -> None:
    """What is refused, as a request to link that no system could have, changes nothing."""
    with suppress(Invalid), database.unit_of_work() as session:
        for task in list_tasks(session, kind=kind).items[:1]:
            verdict = VERDICTS[kind][choice % len(VERDICTS[kind])]
            candidates = task.goldens[1:2] if kind == "review" else ()
            if kind == "mapping":
                candidates = [row[0] for row in fetch(session, "select id from golden_record where status <> 'merged' order by id limit 1")]
                verdict = verdict if candidates else "ignore"
            ruling = Ruling(verdict, task.version, candidates[0] if candidates else None)
            decide(session, PATIENT, task.id, SYSTEM_ACTOR, ruling, "test")


def _unmap(database: Database) -> None:
    with database.unit_of_work() as session:
        for (decision,) in fetch(session, "select decision_id from identifier_assertion where recorded_to is null limit 1"):
            publish(session, "patient", unmap(session, PATIENT, decision))


def answers(database: Database, known_at: datetime | None, goldens: list[Any]) -> dict[Any, Any]:
    """Every lookup and every golden record, now or as known at a moment, without what is documented to be of the present only."""
    found: dict[Any, Any] = {}
    with database.unit_of_work() as session:
        for source in (*SYSTEMS, "concord", "us-ssn"):
            values = [str(each) for each in goldens] if source == "concord" else ["512-34-7781", "512347782", *VALUES]
            asked = Question(PATIENT, source, (*SYSTEMS, "concord"), values, DAY, known_at)
            for value, answer in zip(values, consult(session, Asker(SYSTEM_ACTOR, "test"), asked).answers, strict=True):
                answer["flags"].pop("pending_review", None)
                found[source, value] = answer
        for golden_id in goldens:
            found[golden_id] = _golden(session, golden_id, known_at)
    return found


def _golden(session: Any, golden_id: Any, known_at: datetime | None) -> Any:
    try:
        return replace(golden.read(session, PATIENT, golden_id, known_at=known_at), updated_at=datetime.min.replace(tzinfo=UTC))
    except NotFound:
        return None


def goldens_of(database: Database) -> list[Any]:
    with database.unit_of_work() as session:
        return [row[0] for row in fetch(session, "select id from golden_record order by id")]


@SLOW
@given(st.lists(ACTS, min_size=3, max_size=10))
def test_what_was_answered_at_a_moment_is_answered_again(database, acts):
    empty(database)
    counter = Misses(database)
    told = []
    for what in acts:
        counter.count([Miss("patient", "ehr-north", "01"), Miss("patient", "ehr-mercy", "77")], "flow")
        counter.write()
        act(database, what)
        told.append((moment(database), answers(database, None, goldens_of(database))))
    goldens = goldens_of(database)
    for known_at, then in told:
        again = answers(database, known_at, goldens)
        assert {place: again[place] for place in then} == then
        later = {place: again[place] for place in again if place not in then}
        assert all(each is None or each["outcome"] == "unknown_value" for each in later.values())


def test_the_moment_before_everything_knew_nothing(clean_database, deliver):
    before = moment(clean_database)
    deliver("ehr-north", "1")
    found = answers(clean_database, before, goldens_of(clean_database))
    assert {each and each["outcome"] for each in found.values()} == {None, "unknown_value"}


def test_an_id_merged_twice_redirects_as_it_did_then(clean_database, deliver):
    """Three departments, the third joined to the second, then that one to the first."""
    names = (("ehr-north", "Cardiology"), ("ehr-mercy", "Laundry"), ("erp-north", "Radiology"))
    goldens = [deliver(system, "1", domain="department", name=name).golden_id for system, name in names]
    assert len(set(goldens)) == 3
    moments = [moment(clean_database)]
    for subject, candidate, target in ((2, 1, "ehr-mercy"), (1, 0, "ehr-north")):
        _join(clean_database, goldens[subject], goldens[candidate], target)
        moments.append(moment(clean_database))
    with clean_database.unit_of_work() as session:
        for known_at, survivors in zip(moments, ((0, 1, 2), (0, 1, 1), (0, 0, 0)), strict=True):
            asked = Question(DEPARTMENT, "concord", ("erp-north",), [str(each) for each in goldens], DAY, known_at)
            found = consult(session, Asker(SYSTEM_ACTOR, "test"), asked).answers
            assert [answer["golden_id"] for answer in found] == [str(goldens[place]) for place in survivors]
            assert [found[2]["outcome"], found[2]["targets"][0]["value"]] == ["found", "1"]
            view = golden.read(session, DEPARTMENT, goldens[2], known_at=known_at)
            assert (view.id, view.redirected_from) == (goldens[survivors[2]], None if survivors[2] == 2 else goldens[2])


def _join(database: Database, subject: Any, candidate: Any, target: str) -> None:
    counter = Misses(database)
    counter.count([Miss("department", "concord", str(subject), NO_TARGET, target)], "flow")
    counter.write()
    with database.unit_of_work() as session:
        [task] = list_tasks(session, kind="mapping").items
        decide(session, DEPARTMENT, task.id, SYSTEM_ACTOR, Ruling("map", task.version, candidate), "test")
