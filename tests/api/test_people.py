"""People sign in with a password; guesses are counted, one by one, and lock the account for a while."""

import pytest

from mdm.access import NewPrincipal, Role, person
from mdm.authentication import create_person, sign_in
from mdm.db import execute, fetch
from mdm.errors import Conflict, Invalid

PASSWORD = "a long enough password"


@pytest.fixture
def steward(clean_database):
    with clean_database.unit_of_work() as session:
        return create_person(session, NewPrincipal("ada", Role.STEWARD, domains=frozenset({"payer"})), PASSWORD)


def test_the_right_password_opens_and_no_other(database, steward):
    with database.unit_of_work() as session:
        ada = sign_in(session, "ada", PASSWORD)
        assert (ada.id, ada.role, ada.domains) == (steward, Role.STEWARD, frozenset({"payer"}))
        assert person(session, steward) == ada
        assert sign_in(session, "ada", "something else entirely") is None
        assert sign_in(session, "nobody", PASSWORD) is None


def test_ten_wrong_guesses_lock_the_account(database, steward):
    with database.unit_of_work() as session:
        execute(session, "update principal set failed_logins = 9 where id = %s", (steward,))
        assert sign_in(session, "ada", "wrong") is None
        assert sign_in(session, "ada", PASSWORD) is None
        assert fetch(session, "select failed_logins, locked_until > now() from principal where id = %s", (steward,)) == [(10, True)]


def test_a_disabled_person_is_nobody(database, steward):
    with database.unit_of_work() as session:
        execute(session, "update principal set disabled = true where id = %s", (steward,))
        assert person(session, steward) is None
        assert sign_in(session, "ada", PASSWORD) is None


@pytest.mark.parametrize("password", ["short", "x" * 129])
def test_a_password_has_15_to_128_characters(database, password):
    with database.unit_of_work() as session, pytest.raises(Invalid):
        create_person(session, NewPrincipal("bob", Role.STEWARD), password)


def test_a_name_is_taken_once(database, steward):
    with database.unit_of_work() as session, pytest.raises(Conflict):
        create_person(session, NewPrincipal("ada", Role.ADMIN), PASSWORD)
