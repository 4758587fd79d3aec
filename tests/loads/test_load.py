"""A load from the file to the report: what the plan says, what apply makes of it, what undo leaves."""

from dataclasses import replace

import pytest

from mdm import load_apply, loads
from mdm.access import SYSTEM_ACTOR, Role
from mdm.assertions import Said, settle_miss
from mdm.db import execute
from mdm.entities import ENTITY_TYPES
from mdm.errors import Conflict, Invalid, NotFound, PlanStale
from mdm.guard import guards
from mdm.identity import Act, merge, split
from mdm.invariants import violations
from mdm.load_outlook import preview
from mdm.load_rejected import rejects_csv
from mdm.misswork import Counted, Miss, record
from mdm.old_records import look
from mdm.undo import undo
from mdm.withdraw import withdraw
from tests.bench.people import delivered, known
from tests.loads.conftest import CHANGED, as_csv, deliver, mercy, partition, rows, state

PATIENT = ENTITY_TYPES["patient"]


def sound(database):
    """Every promise of the data; and no record is stored otherwise than its delivery would be."""
    return database.run(lambda session: violations(session, deep=True)) == [] and database.run(lambda s: look(s, PATIENT)).old == []


def test_a_plan_changes_nothing(people, loader):
    before = state(people)
    view = loader.plan(as_csv(mercy()))
    assert view.plan["state"] == "ready"
    assert state(people) == before


def test_every_row_has_one_outcome_and_the_plan_comes_true(people, loader):
    planned = loader.plan(as_csv(mercy()))
    applied = loader.apply(planned)
    assert sum(planned.counts[name] for name in ("new", "linked", "review", "updated", "unchanged", "rejected")) == 100
    assert planned.counts["linked"] > 20
    assert {**planned.counts, "waiting": 0} == applied.applied
    assert sound(people)


WORDS = (
    "Cardiology", "Laundry", "Pharmacy", "Radiology", "Kitchen", "Payroll", "Surgery", "Archive", "Oncology", "Transport", "Nursery",
    "Security", "Dialysis", "Purchasing", "Pathology", "Chaplaincy", "Gardening", "Telephony",
)  # fmt: skip


@pytest.fixture
def never_here(monkeypatch):
    """never_here() -> from now on no piece can be done in the process that has the job."""

    def forbid():
        monkeypatch.setattr("os.cpu_count", lambda: 2)
        monkeypatch.delattr("mdm.load_pool._do_here")

    return forbid


def test_a_large_file_is_cleaned_by_further_processes(people, loader, monkeypatch, never_here):
    planned = loader.plan(as_csv(mercy()))
    never_here()
    monkeypatch.setattr("mdm.load_stage.LARGE_BYTES", 1)
    monkeypatch.setattr("mdm.load_stage.PIECE_ROWS", 30)
    again = loader.plan_again(planned.id)
    assert again.plan["state"] == "ready"
    assert again.counts == planned.counts
    assert again.plan["report"]["difference"]["rows"] == []


def test_a_large_plan_is_applied_by_further_processes(people, loader, monkeypatch, never_here):
    monkeypatch.setattr("mdm.load_apply.LARGE_ROWS", 1)
    monkeypatch.setattr("mdm.load_plan.ROWS_MAX", 10)  # so that there are many pieces
    planned = loader.plan(as_csv(mercy()))
    assert rows(people, "select count(*) from load_piece where way = 'bulk'")[0][0] > 3
    never_here()
    applied = loader.apply(planned)
    assert {**planned.counts, "waiting": 0} == applied.applied
    assert rows(people, "select count(*) filter (where state = 'done'), count(*) filter (where state <> 'done') from job_chunk")[0][1] == 0
    assert sound(people)


def test_the_plan_comes_true_of_rows_that_are_rivals_far_apart_in_the_file(people, loader):
    """Two rows that may not be one, each about as close to a stored record: whichever came first would have joined it."""
    stored = replace(mercy(new=[1_000], again=())[0], system="ehr-north", key="plain")
    deliver(people, [stored])
    junior, senior = (replace(stored, key=suffix, attributes={**stored.attributes, "suffix": suffix}) for suffix in ("JR", "SR"))
    planned = loader.plan(as_csv([junior, *mercy(new=(), again=range(45)), senior]))
    applied = loader.apply(planned)
    assert {**planned.counts, "waiting": 0} == applied.applied
    assert rows(people, "select became from load_row where key in ('JR', 'SR')") == [("review",), ("review",)]
    assert sound(people)


def test_counts_equal_what_is_stored(people, loader):
    before = rows(people, "select count(*) from golden_record where status = 'active'")[0][0]
    applied = loader.load(as_csv(mercy())).applied
    after = rows(people, "select count(*) from golden_record where status = 'active'")[0][0]
    assert after - before == applied["new"] + applied["review"]
    assert rows(people, "select count(*) from source_record where system = 'ehr-mercy'")[0][0] == sum(applied[name] for name in CHANGED)


def test_a_load_gives_the_partition_of_deliveries(people, loader, new_database_of_people):
    loader.load(as_csv(mercy()))
    deliver(new_database_of_people, [replace(row, system="ehr-mercy") for row in mercy()])
    assert partition(people) == partition(new_database_of_people)


@pytest.fixture
def new_database_of_people(new_database):
    from tests.conftest import register_systems

    made = new_database.migrated()
    register_systems(made)
    deliver(made, [delivered(number) for number in range(200)])
    return made


def test_the_same_bytes_again_are_the_same_load(people, loader):
    content = as_csv(mercy())
    first = loader.load(content)
    again = loader.plan(content, name="other name.csv")
    assert again.same_as == first.id
    assert again.counts["unchanged"] == 100
    with pytest.raises(Conflict, match="nothing to do"):
        loader.apply(again)


def test_of_a_changed_file_only_the_changed_rows_count(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    changed = [replace(deliveries[0], attributes={**deliveries[0].attributes, "phone": "617-555-0199"}), *reversed(deliveries[2:])]
    view = loader.plan(as_csv(changed))
    assert (view.counts["updated"], view.counts["unchanged"], view.counts["absent"]) == (1, 98, 1)
    assert loader.apply(view).applied["updated"] == 1


def test_a_key_that_stands_twice_is_refused_the_second_time(people, loader):
    deliveries = mercy()
    view = loader.plan(as_csv([*deliveries, replace(deliveries[0], attributes={**deliveries[0].attributes, "city": "Salem"})]))
    assert view.counts["rejected"] == 1
    assert [rail["code"] for rail in view.plan["report"]["guard_rails"]] == ["key_not_unique"]
    with pytest.raises(Conflict, match="guard rail"):
        loader.apply(view)
    assert loader.apply(view, despite=("key_not_unique",)).applied["rejected"] == 1


def test_rejected_rows_come_back_as_a_file_that_loads_once_mended(people, loader):
    deliveries = mercy(again=range(0))
    broken = [replace(deliveries[0], key=""), *deliveries[1:]]
    view = loader.load(as_csv(broken))
    content = people.run(lambda session: rejects_csv(session, SYSTEM_ACTOR, view.id)).decode("utf-8-sig")
    assert "missing_key" in content
    mended = content.replace(
        ",," + deliveries[0].attributes["address_line"], f",{deliveries[0].key},{deliveries[0].attributes['address_line']}"
    )
    again = loader.plan(mended.encode())
    assert (again.counts["rejected"], again.counts["new"]) == (0, 1)


CENTRES = "name=name,code=code,relationship:rolls_up_to=up,valid_from=since"  # where dates speak, only applying tells what closes a loop


def test_a_row_that_is_refused_while_applying_comes_back_with_its_cells(clean_database, loader):
    content = b"key,name,code,up,since\n1,Cardiology,7100,2,2026-01-01\n2,Echo laboratory,7110,1,2026-01-01\n"
    view = loader.load(content, domain="cost_center", system="erp-north", columns=CENTRES)
    assert view.applied["rejected"] == 1
    given = clean_database.run(lambda session: rejects_csv(session, SYSTEM_ACTOR, view.id)).decode("utf-8-sig")
    assert given.splitlines()[1].endswith(("1,Cardiology,7100,2,2026-01-01", "2,Echo laboratory,7110,1,2026-01-01"))


def test_of_many_rows_only_the_one_that_cannot_be_is_stored_by_itself(clean_database, loader):
    rows_of_file = [(str(no), f"Centre of {word}", str(7000 + no), "", "") for no, word in enumerate(WORDS)]
    rows_of_file[3] = (*rows_of_file[3][:3], "11", "2026-01-01")
    rows_of_file[11] = (*rows_of_file[11][:3], "3", "2026-01-01")
    content = "\n".join(["key,name,code,up,since", *(",".join(row) for row in rows_of_file)]).encode()
    view = loader.plan(content, domain="cost_center", system="erp-north", columns=CENTRES)
    assert view.counts["new"] == len(WORDS)
    applied = loader.apply(view)
    assert (applied.applied["new"], applied.applied["rejected"]) == (len(WORDS) - 1, 1)
    assert dict(rows(clean_database, "select way, count(*) from load_row group by 1")) == {"bulk": len(WORDS) - 1, "online": 1}


def test_a_plan_is_stale_once_something_that_it_touches_has_changed(people, loader):
    view = loader.plan(as_csv(mercy()))
    deliver(people, [replace(known(3, 7), system="ehr-north", key="00000003")])
    with pytest.raises(PlanStale) as refused:
        loader.apply(view)
    assert {problem.code for problem in refused.value.problems} == {"golden_records_changed"}
    assert rows(people, "select count(*) from source_record where system = 'ehr-mercy'")[0][0] == 0
    again = loader.plan_again(view.id)
    assert again.plan["report"]["difference"]["replaces"] == str(view.plan_id)
    assert loader.apply(again).status == "applied"


def test_a_plan_outlives_what_does_not_touch_it(people, loader):
    view = loader.plan(as_csv(mercy(again=range(5))))
    deliver(people, [known(150, 3)])
    assert loader.apply(view).status == "applied"
    assert sound(people)


def test_whoever_came_meanwhile_is_met(people, loader):
    """A delivery between plan and apply that is the same person as a row which the plan found to be alone."""
    view = loader.plan(as_csv(mercy()))
    twin = replace(mercy()[0], system="ehr-north", key="twin")
    deliver(people, [twin])
    loader.apply(view)
    assert any({("ehr-north", "twin"), ("ehr-mercy", mercy()[0].key)} <= group for group in partition(people))
    assert sound(people)


def test_whoever_comes_while_rows_are_stored_is_met_however_many_they_are(people, loader, monkeypatch):
    """Two deliveries each of many people, after apply has looked for newcomers."""
    rows_of_file = mercy(new=range(1_000, 1_030), again=())
    view = loader.plan(as_csv(rows_of_file))
    begin = load_apply._work

    def late(session, run):
        work = begin(session, run)
        for system in ("ehr-north", "billing-north"):
            deliver(people, [replace(row, system=system, key=f"twin {row.key}") for row in rows_of_file])
        return work

    monkeypatch.setattr(load_apply, "_work", late)
    applied = loader.apply(view)
    assert (applied.status, applied.applied["linked"]) == ("applied", 30)
    for row in rows_of_file:
        three = {("ehr-mercy", row.key), ("ehr-north", f"twin {row.key}"), ("billing-north", f"twin {row.key}")}
        assert any(three <= set(group) for group in partition(people))
    assert sound(people)


def test_blanks_around_a_key_make_no_second_record(people, loader):
    before = rows(people, "select count(*) from source_record")
    planned = loader.plan(
        as_csv([replace(delivered(number), key=f" {delivered(number).key}  ") for number in range(5)]), system="ehr-north"
    )
    assert planned.counts["new"] + planned.counts["linked"] == 0
    loader.apply(planned)
    assert rows(people, "select count(*) from source_record") == before


def test_undo_restores_the_state(people, loader):
    before = state(people)
    view = loader.load(as_csv(mercy()))
    assert state(people) != before
    undone = loader.undo(view)
    assert undone.status == "undone"
    assert state(people) == before
    assert sound(people)


def test_a_large_load_is_taken_back_by_further_processes(people, loader, monkeypatch, never_here):
    before = state(people)
    view = loader.load(as_csv(mercy()))
    never_here()
    monkeypatch.setattr("mdm.load_undo.LARGE_GOLDENS", 1)
    monkeypatch.setattr("mdm.load_undo._RECORDS_MAX", 10)
    undone = loader.undo(view)
    assert rows(people, "select count(*) from job_chunk where job_id = %s", (undone.job_id,))[0][0] > 5
    assert undone.status == "undone"
    assert state(people) == before
    assert sound(people)


def test_whom_others_came_near_since_is_taken_back_by_further_processes_too(people, loader, monkeypatch, never_here):
    content = mercy()
    later = [replace(row, system="billing-north", key=f"later {row.key}") for row in content if row.key.endswith(("1", "5"))]
    view = loader.load(as_csv(content))
    deliver(people, later)
    never_here()
    monkeypatch.setattr("mdm.load_undo.LARGE_GOLDENS", 1)
    monkeypatch.setattr("mdm.load_undo._RECORDS_MAX", 10)
    loader.undo(view)
    assert sound(people)
    gone = "select count(*) from source_record where system = %s and status = 'active'"
    assert (rows(people, gone, ("ehr-mercy",)), rows(people, gone, ("billing-north",))) == ([(0,)], [(len(later),)])


def test_undo_gives_back_values_that_the_load_made_over_shared(people, loader):
    """The phone of a clinic's front desk: evidence while few have it, nobody's once the load brings more, evidence again afterwards."""
    limit = guards(PATIENT)["phone"]
    desk = {"phone": "617-482-3344"}
    deliver(people, [replace(row, attributes={**row.attributes, **desk}) for row in map(delivered, range(200, 200 + limit - 1))])
    before = state(people)
    content = as_csv([replace(row, attributes={**row.attributes, **desk}) for row in mercy(new=range(1_000, 1_005), again=range(5))])
    view = loader.load(content)
    held = "select count(*) from source_record where columns ->> 'phone' like '%4823344%' and status = 'active'"
    assert rows(people, held) == [(0,)]
    loader.undo(view)
    assert rows(people, held) == [(limit - 1,)]
    assert state(people) == before
    assert sound(people)


def test_undo_takes_back_the_cut_that_a_row_asked_for(people, loader):
    """Two records of one person, and a row about as close to one of them that may not join the other: which two are one?"""
    senior = mercy(new=[1_000], again=())[0]
    plain = {**senior.attributes, "email": "j.q.public@example.org"}
    one = replace(senior, system="ehr-north", key="plain", attributes=plain)
    junior = replace(senior, system="billing-north", key="junior", attributes={**plain, "suffix": "Jr"})
    deliver(people, [one, junior])
    before = state(people)
    view = loader.load(as_csv([replace(senior, attributes={**plain, "suffix": "Sr"})]))
    assert rows(people, "select count(*) from task where kind = 'cut' and status = 'open'") == [(1,)]
    loader.undo(view)
    assert state(people) == before
    assert sound(people)


def test_what_other_thresholds_would_do_begins_with_what_the_plan_does(people, loader):
    """A row that a rival or a veto holds back stays one for review, however low the threshold."""
    plan = loader.plan(as_csv(mercy(again=range(60))))
    lower, _, now, *_, higher = plan.plan["report"]["simulation"]
    assert now == {"link": plan.plan["report"]["thresholds"]["link"]} | {name: plan.counts[name] for name in ("linked", "review", "new")}
    assert lower["linked"] >= now["linked"] >= higher["linked"]
    assert {sum(step[name] for name in ("linked", "review", "new")) for step in (lower, higher)} == {sum(plan.counts.values())}


def test_few_rows_are_planned_as_all_would_be(people, loader, monkeypatch):
    _assert_planned_alike(loader, monkeypatch, as_csv(mercy(again=range(60))))


def test_few_rows_that_say_something_else_are_planned_as_all_would_be(people, loader, monkeypatch):
    """Some of them become like others of the file, or of the store, and some of those are new versions themselves."""
    deliveries = mercy(again=range(60))
    loader.load(as_csv(deliveries))
    changed = [replace(row, attributes=dict(deliveries[n + 5].attributes)) for n, row in enumerate(deliveries[:20])]
    changed += [replace(row, attributes={**row.attributes, "phone": "617-555-0100"}) for row in deliveries[20:90]]
    _assert_planned_alike(loader, monkeypatch, as_csv([*changed, *mercy(new=range(2_000, 2_010), again=range(100, 110))]))


def _assert_planned_alike(loader, monkeypatch, content):
    monkeypatch.setattr("mdm.load_compare.few_max", lambda *_: 0)
    in_bulk = loader.plan(content)
    monkeypatch.setattr("mdm.load_compare.few_max", lambda *_: 1_000)
    near = loader.plan_again(in_bulk.id)
    assert near.counts == in_bulk.counts
    assert near.plan["report"]["difference"]["rows"] == []
    assert [near.plan["report"][name] for name in ("pairs", "simulation", "merges", "expected_false_links")] == [
        in_bulk.plan["report"][name] for name in ("pairs", "simulation", "merges", "expected_false_links")
    ]


def test_undo_restores_what_was_updated(people, loader):
    deliveries = mercy()
    loader.load(as_csv(deliveries))
    before = state(people)
    changed = [replace(row, attributes={**row.attributes, "phone": f"617-555-{n:04d}"}) for n, row in enumerate(deliveries[:30])]
    content = as_csv([*changed, *mercy(new=range(2_000, 2_010), again=range(0))])
    view = loader.apply(loader.plan(content), despite=("volume_off",))
    assert view.applied["updated"] == 30
    assert state(people) != before
    loader.undo(view)
    assert state(people) == before
    assert sound(people)


def test_what_was_undone_can_be_loaded_again(people, loader):
    content = as_csv(mercy())
    view = loader.load(content)
    first = partition(people)
    loader.undo(view)
    again = loader.load(content)
    assert again.same_as is None
    assert again.applied == view.applied
    assert partition(people) == first
    assert sound(people)


def test_undo_keeps_what_a_person_decided_and_lists_it(people, loader):
    view = loader.load(as_csv(mercy()))
    golden, other = (row[0] for row in rows(people, _TWO_NEW, (view.plan_id,)))
    people.run(lambda session: merge(session, PATIENT, golden, [other], Act(actor=SYSTEM_ACTOR, reason="same", request_id="t")))
    expected = people.run(lambda session: preview(session, SYSTEM_ACTOR, view.id))
    undone = loader.undo(view)
    told = undone.plan["report"]["undo"]
    assert {each["why"] for each in told["kept"]} == {"decided"}
    assert told["counts"]["kept"] == expected.counts["kept"] == 2
    assert rows(people, "select count(*) from source_record where system = 'ehr-mercy' and status = 'active'")[0][0] == 2
    assert sound(people)


_TWO_NEW = (
    "select l.golden_id from load_row x join link l on l.record_id = x.record_id and l.recorded_to is null"
    " where x.plan_id = %s and x.became = 'new' and x.way = 'bulk' order by x.no limit 2"
)


def test_undo_keeps_what_was_delivered_since(people, loader):
    deliveries = mercy()
    view = loader.load(as_csv(deliveries))
    deliver(people, [replace(deliveries[5], system="ehr-mercy", attributes={**deliveries[5].attributes, "city": "Salem"})])
    undone = loader.undo(view)
    assert [each["why"] for each in undone.plan["report"]["undo"]["kept"]] == ["delivered again"]
    assert rows(people, "select key from source_record where system = 'ehr-mercy' and status = 'active'") == [(deliveries[5].key,)]


def test_loads_are_taken_back_one_after_the_other_the_last_one_first(people, loader):
    """What a load wrote that is gone again is no reason to keep what the load before it brought."""
    before, deliveries = state(people), mercy()
    views = [loader.load(as_csv(deliveries))]
    for area in ("617", "508"):
        changed = [replace(row, attributes={**row.attributes, "phone": f"{area}-555-{n:04d}"}) for n, row in enumerate(deliveries[:20])]
        views.append(loader.apply(loader.plan(as_csv([*changed, *deliveries[20:]])), despite=("volume_off",)))
    for view in reversed(views):
        assert people.run(lambda session, view=view: preview(session, SYSTEM_ACTOR, view.id)).counts["kept"] == 0
        loader.undo(view)
    assert state(people) == before
    assert sound(people)


def test_golden_records_that_an_undo_emptied_refuse_acts_in_words(people, loader):
    loader.undo(loader.load(as_csv(mercy(again=()))))
    statement = "select id from golden_record g where status = 'retired' and not exists (select 1 from link l where l.golden_id = g.id"
    golden = rows(people, statement + " and l.recorded_to is null) limit 1")[0][0]
    act = Act(actor=SYSTEM_ACTOR, reason="", request_id="test")
    with pytest.raises(Conflict, match="no source records"):
        people.run(lambda session: split(session, PATIENT, golden, [[golden]], act))
    misses = [Counted(Miss("patient", "ehr-mercy", "771"), 1, {"test"}, set())]
    miss = people.run(lambda session: record(session, misses))[0].id
    with pytest.raises(Conflict, match="no source records"):
        people.run(lambda session: settle_miss(session, PATIENT, Said(miss, "map", golden, None), act))


def test_a_mapping_to_a_record_that_was_withdrawn_is_taken_back(people, loader):
    loader.load(as_csv(mercy(again=())))
    golden = rows(people, "select l.golden_id from link l join source_record r on r.id = l.record_id where r.system = 'ehr-mercy' limit 1")[
        0
    ][0]
    act = Act(actor=SYSTEM_ACTOR, reason="", request_id="test")
    misses = [Counted(Miss("patient", "billing-north", "771"), 1, {"test"}, set())]
    miss = people.run(lambda session: record(session, misses))[0].id
    decision = people.run(lambda session: settle_miss(session, PATIENT, Said(miss, "map", golden, None), act))
    record_id = rows(people, "select record_id from identifier_assertion")[0][0]
    people.run(lambda session: withdraw(session, PATIENT, [record_id], {}))
    people.run(lambda session: undo(session, PATIENT, decision, act))
    assert rows(people, "select status from miss where id = %s", (miss,)) == [("open",)]


def test_a_large_load_needs_a_second_person(people, loader):
    view = loader.plan(as_csv(mercy()))
    first, second = replace(SYSTEM_ACTOR, name="ann"), replace(SYSTEM_ACTOR, name="bob")
    assert loader.apply(view, actor=first, approval_rows=10).status == "planned"
    assert loader.apply(view, actor=first, approval_rows=10).status == "planned"
    applied = loader.apply(view, actor=second, approval_rows=10)
    assert (applied.status, applied.asked_by, applied.approved_by) == ("applied", "ann", "bob")


def test_waves_follow_each_other(people, loader):
    deliveries = mercy()
    view = loader.plan(as_csv(deliveries))
    women = sum(row.attributes["sex"] == "F" for row in deliveries)
    half = loader.apply(view, wave={"sex": "F"})
    assert half.status == "applying"
    with pytest.raises(Invalid):
        loader.apply(view, wave={"sexx": "M"})
    assert half.applied["waiting"] == 100 - women
    whole = loader.apply(view)
    assert whole.status == "applied"
    assert {**view.counts, "waiting": 0} == whole.applied


def test_a_load_of_another_domain_or_system_does_not_exist(people, loader):
    view = loader.plan(as_csv(mercy()))
    for scope in ({"domains": frozenset({"payer"})}, {"systems": frozenset({"ehr-north"})}):
        stranger = replace(SYSTEM_ACTOR, role=Role.LOADER, grants=frozenset(), **scope)
        with pytest.raises(NotFound):
            people.run(lambda session, who=stranger: loads.get(session, who, view.id))


def test_rows_in_are_rows_out_by_order_of_the_database(people, loader):
    from mdm.db import DatabaseError

    view = loader.plan(as_csv(mercy()))
    with pytest.raises(DatabaseError, match="every_row_has_one_outcome"):
        people.run(lambda session: execute(session, "update load_count set new = new + 1 where plan_id = %s", (view.plan_id,)))


def test_the_preview_of_an_undo_lists_what_reverts_and_which_merges_come_apart(people, loader):
    view = loader.load(as_csv(mercy(new=range(1_000, 1_010), again=range(10))))
    told = people.run(lambda session: preview(session, SYSTEM_ACTOR, view.id))
    assert ({each.what for each in told.going}, told.counts["withdrawn"], told.splits) == ({"withdrawn"}, 20, ())
    joined, record = rows(people, _JOINED, (view.plan_id,))[0]
    left = rows(people, "select id from golden_record where id <> %s limit 1", (joined,))[0][0]
    moved = "insert into load_move (load_id, record_id, left_golden, joined_golden) values (%s, %s, %s, %s)"
    people.run(lambda session: execute(session, moved, (view.id, record, left, joined)))
    told = people.run(lambda session: preview(session, SYSTEM_ACTOR, view.id))
    assert [(each.golden_id, each.returned, list(each.returns_to)) for each in told.splits] == [(joined, 1, [left])]


_JOINED = (
    "select l.golden_id, o.record_id from load_row x join link l on l.record_id = x.record_id and l.recorded_to is null join link o"
    " on o.golden_id = l.golden_id and o.record_id <> l.record_id and o.recorded_to is null where x.plan_id = %s and x.became = 'linked'"
    " order by x.no limit 1"
)


def test_the_preview_warns_of_records_that_a_later_file_repeats(people, loader):
    deliveries = mercy(again=())
    view = loader.load(as_csv(deliveries))
    more = loader.load(as_csv([*deliveries[:30], *mercy(new=range(3_000, 3_005), again=())]), name="next.csv")
    told = people.run(lambda session: preview(session, SYSTEM_ACTOR, view.id))
    assert (told.counts["repeated"], {each.load_id for each in told.repeated}) == (30, {more.id})
    assert people.run(lambda session: preview(session, SYSTEM_ACTOR, more.id)).counts["repeated"] == 0
