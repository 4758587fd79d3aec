"""Keys and people from the command line: what is printed is the secret and nothing else."""

from mdm.access import Keyring, Role, is_well_formed
from mdm.db import execute, fetch
from mdm.settings import Settings


def actor_of(database, key, tmp_path):
    pepper = Settings.from_env({"MDM_HOME": str(tmp_path)}).key_pepper()
    return Keyring(database, pepper).authenticate(key)


def test_keys_create_prints_the_key_and_nothing_else(mdm, sound, tmp_path):
    said = mdm("keys", "create", "flow", "--role", "integration", "--domain", "payer", "--domain", "supplier", "--system", "erp-north")
    key = said.out.removesuffix("\n")
    assert (said.status, said.err) == (0, "")
    assert is_well_formed(key)
    actor = actor_of(sound, key, tmp_path)
    assert (actor.name, actor.role) == ("flow", Role.INTEGRATION)
    assert (actor.domains, actor.systems) == (frozenset({"payer", "supplier"}), frozenset({"erp-north"}))


def test_a_key_without_scope_has_all_of_it_and_no_grant(mdm, sound, tmp_path):
    actor = actor_of(sound, mdm("keys", "create", "wide", "--role", "admin").out.strip(), tmp_path)
    assert (actor.domains, actor.systems, actor.grants) == (None, None, frozenset())


def test_the_third_active_key_is_refused(mdm):
    keys = [mdm("keys", "create", "thrice", "--role", "loader") for _ in range(3)]
    assert [said.status for said in keys] == [0, 0, 1]
    assert keys[2].is_one_clear_line


def test_a_misspelt_scope_makes_no_key(mdm, sound):
    for scope in (("--domain", "patients"), ("--system", "erp-nort"), ("--grant", "everything")):
        assert mdm("keys", "create", "misspelt", "--role", "integration", *scope).is_one_clear_line
    assert sound.run(lambda session: fetch(session, "select 1 from principal where name = 'misspelt'")) == []


def test_keys_and_people_made_here_are_audited_without_their_secret(mdm, sound):
    secrets = [mdm("keys", "create", "seen", "--role", "steward").out, mdm("users", "create", "seen-too", "--role", "steward").out]
    rows = sound.run(lambda session: fetch(session, "select action, detail::text from audit where detail ->> 'name' like 'seen%'"))
    assert sorted(row[0] for row in rows) == ["key:create", "user:create"]
    assert not any(secret.strip() in row[1] for row in rows for secret in secrets)


def test_users_create_prints_a_password_that_works(mdm, sound):
    from mdm.authentication import sign_in

    said = mdm("users", "create", "ada", "--role", "steward")
    assert (said.status, said.err) == (0, "")
    assert sound.run(lambda session: sign_in(session, "ada", said.out.strip())).role is Role.STEWARD


def test_a_name_is_given_once(mdm):
    assert mdm("users", "create", "eve", "--role", "auditor").status == 0
    assert mdm("users", "create", "eve", "--role", "auditor").is_one_clear_line


def test_users_reset_lets_in_who_lost_password_and_second_factor(mdm, sound):
    import pyotp

    from mdm.authentication import set_second_factor, sign_in

    secret = pyotp.random_base32()
    first = mdm("users", "create", "last-admin", "--role", "admin").out.strip()
    person = sound.run(lambda session: fetch(session, "select id from principal where name = 'last-admin'"))[0][0]
    assert sound.run(lambda session: set_second_factor(session, person, secret, pyotp.TOTP(secret).now()))
    assert sound.run(lambda session: sign_in(session, "last-admin", first)) is None
    assert mdm("users", "reset", "last-admin", "--keep-password").out == ""
    assert sound.run(lambda session: sign_in(session, "last-admin", first)) is not None
    second = mdm("users", "reset", "last-admin").out.strip()
    assert sound.run(lambda session: sign_in(session, "last-admin", first)) is None
    assert sound.run(lambda session: sign_in(session, "last-admin", second)).role is Role.ADMIN
    rows = sound.run(lambda session: fetch(session, "select principal, detail from audit where action = 'person:reset' order by n"))
    assert rows == [("system", {"person": str(person), "password": kept}) for kept in (False, True)]
    assert sound.run(lambda session: fetch(session, "select password_due from principal where id = %s", (person,))) == [(True,)]


def test_users_reset_lets_in_nobody_else(mdm, sound):
    mdm("users", "create", "gone", "--role", "steward")
    sound.run(lambda session: execute(session, "update principal set disabled = true where name = 'gone'"))
    assert mdm("users", "reset", "gone").is_one_clear_line
    assert mdm("users", "reset", "nobody").is_one_clear_line
