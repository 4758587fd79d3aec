"""A miss on the work list: it is listed and opens, though it has no golden record; of a patient the number stays out of the list."""

from mdm.db import fetch
from mdm.misses import Misses
from mdm.misswork import Miss


def test_why_a_golden_record_is_suggested_stands_there_in_words(database, steward, deliver):
    deliver("department", "ehr-north", {"name": "Cardiology"}, key="CARD-17")
    counter = Misses(database)
    counter.count([Miss("department", "ehr-mercy", "CARD-71")], "flow")
    counter.write()
    with database.unit_of_work() as session:
        task_id = fetch(session, "select id from task where kind = 'mapping'")[0][0]
    page = steward.get(f"/tasks/{task_id}").text
    assert "<td>nearly the same code</td>" in page
    assert "similar_code" not in page


def test_misses_are_listed_and_open(database, steward):
    counter = Misses(database)
    counter.count([Miss("department", "ehr-mercy", "04410"), Miss("patient", "ehr-north", "MRN-778899")], "flow")
    counter.write()
    page = steward.get("/tasks").text
    assert "ehr-mercy 04410" in page
    assert "778899" not in page
    with database.unit_of_work() as session:
        ids = [row[0] for row in fetch(session, "select id from task where kind = 'mapping'")]
    assert {steward.get(f"/tasks/{task_id}").status_code for task_id in ids} == {200}
