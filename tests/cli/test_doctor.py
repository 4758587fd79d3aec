"""The doctor finds a sound database sound, and every kind of damage."""

import json

import pytest

JOB = "insert into job (id, kind, dedupe_key, payload, state, lease_until, attempt, run_at) values (gen_random_uuid(), 'k', 'k', '{}', "
SET = (
    "insert into mapping_set (code) values ('s'); insert into mapping_set_version (set_code, version, definition, changed_by)"
    """ values ('s', 1, '{"inputs": [{"name": "a"}], "outputs": [{"name": "b"}]}', 'a'); """
)
RULE = SET + (
    "insert into mapping_rule (id, set_code, conditions, conditions_hash, written, outputs, status, author, approved_by) values"
    """ (gen_random_uuid(), 's', '{"x": "1"}', 1, '{}', '[{"share": "60", "values": {"y": "1"}}]', 'approved', 'a', 'b')"""
)
DAMAGE = {
    "every active record has one open link to an active golden record": (
        "update link set recorded_to = now() where id = (select min(id) from link)"
    ),
    "every active golden record has records": "update link set recorded_to = now()",
    "redirects resolve in one hop": (
        "alter table golden_record drop constraint one_hop; with g as (select array_agg(id order by id) ids from golden_record)"
        " update golden_record r set status = 'merged', merged_into = case when r.id = g.ids[1] then g.ids[2] else g.ids[1] end from g"
    ),
    "xref equals what links and records derive": "update xref set value = '36-0000000' where id = (select min(id) from xref)",
    "no job runs on a lease that ran out": JOB + "'running', now() - interval '1 minute', 1, now())",
    "no job waits for longer than 15 minutes": JOB + "'queued', null, 0, now() - interval '16 minutes')",
    "no job is tried more often than it may be": ("alter table job drop constraint ck_job_attempt; " + JOB + "'queued', null, 6, now())"),
    "no job is quarantined": JOB + "'quarantined', null, 5, now())",
    "keys are in normal form": "update source_record set key = ' ' || key where id = (select min(id::text)::uuid from source_record)",
    "records are stored as they would be read today": (
        "update source_record set columns = columns - 'name' where id = (select min(id::text)::uuid from source_record)"
    ),
    "queues": "insert into canary values ('bulk', now() - interval '5 minutes')",
    "approved mapping rules are in force, and no others": RULE,
    "mapping rules ask and answer what their set is made of": RULE,
    "the shares of a mapping rule are the whole": RULE,
    "mapping releases are numbered without a gap, of rules of their set": (
        SET + "insert into mapping_release (id, set_code, number, set_version, rules, note, made_by)"
        " values (gen_random_uuid(), 's', 2, 1, '{}', '', 'a')"
    ),
    "searches find golden values": "update golden_version set words = '' where recorded_to is null",
    "golden values equal survivorship": 'update golden_version set values = \'{"name": "somebody else"}\' where recorded_to is null',
}


def checks(said):
    document = json.loads(said.out)
    return document["ok"], {each["check"]: each["ok"] for each in document["checks"]}


@pytest.mark.usefixtures("durable")
def test_a_sound_database_is_sound(mdm):
    said = mdm("doctor", "--deep")
    assert said.status == 0, said.out
    assert all(line.startswith("ok") for line in said.out.splitlines())
    assert set(DAMAGE) <= {line[6:].split(":")[0] for line in said.out.splitlines()}


@pytest.mark.parametrize("promise", DAMAGE)
def test_damage_is_found_and_named(mdm, damaged, promise):
    with damaged.engine.begin() as connection:
        connection.exec_driver_sql(DAMAGE[promise])
    said = mdm("doctor", "--deep", "--json", MDM_DATABASE_URL=damaged.url)
    ok, found = checks(said)
    assert (said.status, ok, found[promise]) == (1, False, False)


def test_a_row_too_many_or_too_few_in_the_crosswalk_is_found(mdm, damaged):
    with damaged.engine.begin() as connection:
        connection.exec_driver_sql("update xref set recorded_to = now(), exclusive = false where id = (select min(id) from xref)")
    assert "broken 1 times" in mdm("doctor", MDM_DATABASE_URL=damaged.url).out


def test_a_database_that_is_away_is_a_finding(mdm):
    said = mdm("doctor", "--json", MDM_DATABASE_URL="postgresql://u:hunter2@127.0.0.1:9/none")
    assert (said.status, checks(said)[1]["database"]) == (1, False)
    assert "hunter2" not in said.out


def test_a_broker_that_is_away_is_a_finding(mdm):
    said = mdm("doctor", "--json", MDM_BROKER_URL="redis://:hunter2@127.0.0.1:9/0")
    assert (said.status, checks(said)[1]["broker"]) == (1, False)
    assert "hunter2" not in said.out


def test_an_old_schema_is_a_finding(mdm, new_database):
    said = mdm("doctor", "--json", MDM_DATABASE_URL=new_database().url)
    assert (said.status, checks(said)[1]["schema"]) == (1, False)


def test_too_few_lock_slots_are_a_finding(mdm):
    _, found = checks(mdm("doctor", "--json", MDM_WEB_WORKERS="64"))
    assert found["lock slots"] is False


def test_a_server_that_may_lose_answered_writes_is_a_finding(mdm, damaged):
    with damaged.engine.begin() as connection:
        name = connection.exec_driver_sql("select current_database()").scalar()
        connection.exec_driver_sql(f'alter database "{name}" set synchronous_commit = off')
    said = mdm("doctor", MDM_DATABASE_URL=damaged.url)
    assert said.status == 1
    assert "synchronous_commit off" in said.out
