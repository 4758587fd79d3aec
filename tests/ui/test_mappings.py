"""Coverage and the workbench: settling codes one by one and many at once, what is taken back, who may, and what stays unseen."""

import re

import pytest

from mdm.db import fetch
from mdm.misswork import Counted, Miss, record

BENCH = "/mappings/ehr-mercy/department"


@pytest.fixture
def ask(database):
    """ask(domain, {value: how often}) -> counted as asked of ehr-mercy in vain."""

    def count(domain, values, system="ehr-mercy"):
        with database.unit_of_work() as session:
            record(session, [Counted(Miss(domain, system, value), number, {"a-flow"}, set()) for value, number in values.items()])

    return count


@pytest.fixture
def wards(deliver, ask):
    """Three departments of the ERP, and codes of Mercy that mean them, but for one."""
    names = {"4410": "Cardiac Stepdown", "4420": "Cardiac Catheterization", "4430": "Nuclear Medicine"}
    ids = {key: deliver("department", "erp-north", {"name": name, "code": key}, key=key).golden_id for key, name in names.items()}
    ask("department", {"4410": 900, "04420": 90, "4430": 9, "77": 1})
    return ids


def codes(page):
    return re.findall(r'<li[^>]*><a href="[^"]+code=[^"]+"[^>]*><bdi class="code">([^<]+)</bdi>', page)


def press(browser, page, label):
    """Send the suggestion that names this golden record, as its key does."""
    form = re.search(r'<form method="post" class="rule" action="([^"]+)"', page)[1]
    value = next(v for v in re.findall(r'name="ruling" value="(map [^"]+)"', page) if label in v)
    return browser.post(form, ruling=value, **hidden(page))


def hidden(page):
    """What the form of the code carries unseen: the version that was shown, and its own key."""
    return {name: re.search(rf'name="{name}" value="([^"]+)"', page)[1] for name in ("if_match", "idempotency_key")}


def holder(database, value):
    with database.unit_of_work() as session:
        rows = fetch(
            session,
            "select x.golden_id from xref x join identifier_system s on s.id = x.system_id where s.code = 'ehr-mercy' and x.value = %s"
            " and x.recorded_to is null",
            (value,),
        )
    return rows[0][0] if rows else None


def test_coverage_is_by_volume_and_equals_its_sql(steward, wards, database):
    page = steward.get(BENCH).text
    assert codes(page) == ["4410", "04420", "4430", "77"]
    press(steward, page, str(wards["4410"]))
    with database.unit_of_work() as session:
        share = fetch(session, "select 100.0 * sum(count) filter (where status <> 'open') / sum(count) from miss")[0][0]
    for path in ("/mappings", BENCH):
        assert f"{share:.1f} %" in steward.get(path).text
    assert "1 / 4" in steward.get("/mappings").text


def test_a_suggestion_settles_the_code_and_the_next_follows(steward, wards, database):
    answer = press(steward, steward.get(BENCH).text, str(wards["4410"]))
    assert answer.status_code == 303
    page = steward.get(answer.location).text
    assert codes(page) == ["04420", "4430", "77"]
    assert 'data-say="Mapped. z to undo."' in page
    assert '<bdi class="code big">04420</bdi>' in page
    assert holder(database, "4410") == wards["4410"]
    with database.unit_of_work() as session:
        assert "crosswalk.resolved" in {row[0] for row in fetch(session, "select type from event")}


def test_the_last_act_is_taken_back(steward, wards, database):
    press(steward, steward.get(BENCH).text, str(wards["4410"]))
    page = steward.get(BENCH).text
    decision = re.search(r'name="decision" value="([^"]+)"', page)[1]
    assert steward.post(f"{BENCH}/undo", decision=decision, batch="").status_code == 303
    assert holder(database, "4410") is None
    assert codes(steward.get(BENCH).text)[0] == "4410"
    assert 'name="decision"' not in steward.get(BENCH).text


def test_no_map_sets_the_code_aside(steward, wards):
    page = steward.get(BENCH).text
    form = re.search(r'class="rule" action="([^"]+)"', page)[1]
    assert steward.post(form, ruling="not_ours", **hidden(page)).status_code == 303
    assert "4410" not in codes(steward.get(BENCH).text)


def test_a_target_is_found_by_name(steward, wards):
    task = re.search(r'name="code" value="([^"]+)"', steward.get(BENCH).text)[1]
    found = steward.post(f"{BENCH}/find", code=task, text="nuclear").text
    assert f'value="map {wards["4430"]}"' in found
    assert "as you searched" in found


def test_a_stale_decision_says_so_and_stores_nothing(steward, wards, database):
    page = steward.get(BENCH).text
    form = re.search(r'class="rule" action="([^"]+)"', page)[1]
    answer = steward.post(form, ruling=f"map {wards['4410']}", **hidden(page) | {"if_match": "9"}, reason="typed in vain")
    assert answer.status_code == 412
    assert "nothing was stored" in answer.text
    assert "typed in vain" in answer.text
    assert holder(database, "4410") is None


def test_a_prefix_changes_exactly_what_was_previewed(steward, wards, ask, database):
    plan = steward.post(f"{BENCH}/plan", prefix="44", target="0.85").text
    items = re.findall(r'name="item" value="([^"]+)"', plan)
    assert [item.split()[2] for item in items] == [str(wards["4410"]), str(wards["4430"])]
    press(steward, steward.get(BENCH).text, str(wards["4420"]))  # 4410, decided otherwise after the preview
    ask("department", {"4499": 5})  # a code that nobody has seen in it
    assert steward.post(f"{BENCH}/apply", item=items, reason="same codes as the ERP").location.endswith("say=1-mapped-1-skipped")
    assert [holder(database, code) for code in ("4410", "4430", "4499")] == [wards["4420"], wards["4430"], None]


def test_all_codes_of_a_prefix_to_one_target_are_one_undo(steward, wards, database):
    plan = steward.post(f"{BENCH}/plan", prefix="44", target=str(wards["4420"])).text
    items = re.findall(r'name="item" value="([^"]+)"', plan)
    steward.post(f"{BENCH}/apply", item=items, reason="one unit now")
    page = steward.get(BENCH).text
    assert "Undo 2 codes" in page
    assert [holder(database, code) for code in ("4410", "4430")] == [wards["4420"], wards["4420"]]
    batch = re.search(r'name="batch" value="([^"]+)"', page)[1]
    assert steward.post(f"{BENCH}/undo", decision="", batch=batch).status_code == 303
    assert [holder(database, code) for code in ("4410", "4430")] == [None, None]
    assert steward.post(f"{BENCH}/undo", decision="", batch=batch).status_code == 409


@pytest.mark.parametrize(("prefix", "target"), [("", "0.85"), ("x" * 101, "0.85")])
def test_a_prefix_that_is_none_is_refused(steward, wards, prefix, target):
    assert steward.post(f"{BENCH}/plan", prefix=prefix, target=target).status_code == 422


def test_numbers_of_people_are_never_mapped_by_prefix(steward, ask):
    ask("patient", {"900123": 4})
    page = steward.get("/mappings/ehr-mercy/patient").text
    assert "Apply to all codes" not in page
    assert steward.post("/mappings/ehr-mercy/patient/plan", prefix="9", target="0.85").status_code == 422


def test_a_system_out_of_scope_is_not_there(browser, person, wards):
    browser.enter_as(person(systems=["ehr-north"]))
    assert browser.get(BENCH).status_code == 404
    assert "ehr-mercy" not in browser.get("/mappings").text


def test_who_only_reads_decides_nothing(browser, person, wards):
    browser.enter_as(person("admin"))
    page = browser.get(BENCH).text
    assert "Your role reads mappings" in page
    assert browser.post(f"{BENCH}/plan", prefix="44", target="0.85").status_code == 403
    assert browser.post(f"{BENCH}/apply", item="x", reason="x").status_code == 403


@pytest.mark.parametrize("path", ["/mappings/nowhere/department", "/mappings/ehr-mercy/unicorn", f"{BENCH}?code=1"])
def test_what_is_not_there_says_so(steward, path):
    assert steward.get(path).status_code == 404


def test_an_empty_world_says_what_will_come(steward):
    assert "Nothing was asked for in vain" in steward.get("/mappings").text
    assert "Every code is settled" in steward.get(BENCH).text


def test_an_address_can_say_nothing_of_its_own(steward, wards):
    assert "data-say" not in steward.get(f"{BENCH}?say=You+have+won").text


def test_a_note_on_a_code_that_somebody_settled_meanwhile_is_not_lost(steward, other, wards):
    page = steward.get(BENCH).text
    form = re.search(r'<form method="post" class="rule" action="([^"]+)"', page)[1]
    press(other, page, str(wards["4410"]))
    answer = steward.post(form, ruling="not_ours", reason="as the ward says", **hidden(page))
    assert (answer.status_code, "<q>as the ward says</q>" in answer.text) == (409, True)


def test_a_refused_note_stays_with_its_day(steward, wards):
    page = steward.get(BENCH).text
    form = re.search(r'<form method="post" class="rule" action="([^"]+)"', page)[1]
    answer = steward.post(form, ruling="ignore", reason="x" * 3000, until="2030-01-31", **hidden(page))
    assert answer.status_code == 422
    assert "x" * 3000 in answer.text
    assert 'value="2030-01-31"' in answer.text


def test_a_preview_of_a_prefix_can_be_returned_to_and_its_address_holds_no_code(steward, wards, database):
    with database.unit_of_work() as session:
        rows = fetch(session, "select id from task where kind = 'mapping' and detail ->> 'value' = '4410'")
    sent = steward.post(f"{BENCH}/plan", code=str(rows[0][0]), prefix="44", target="0.85")
    assert (sent.status_code, sent.location) == (303, f"{BENCH}/plan?code={rows[0][0]}&letters=2&target=0.85")
    shown, straight = steward.get(sent.location), steward.post(f"{BENCH}/plan", prefix="44", target="0.85")
    assert shown.status_code == 200
    names = [re.findall(r'name="item" value="([^"]+)"', page.text) for page in (shown, straight)]
    assert (names[0], len(names[0])) == (names[1], 2)
    assert steward.get(f"{BENCH}/plan?code={rows[0][0]}&letters=x&target=0.85").status_code == 422
    assert steward.get(f"{BENCH}/plan?code={rows[0][0]}&letters=2&target=nothing").status_code == 404
