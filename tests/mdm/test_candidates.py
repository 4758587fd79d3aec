"""Which records a delivery is compared with: keys that few hold, and two common keys where few enough hold both."""

from mdm.candidates import read_blocks
from mdm.db import array, execute
from mdm.ids import new_id

CITY, STREET = 1, 2
COMMON = 6  # holders of each key beside those who hold both


def met(database, both, rules):
    """Who of `both` holders of the two common keys is met by a delivery that has these keys, and the keys that were crowded."""
    shared = [new_id() for _ in range(both)]
    holders = {key: shared + [new_id() for _ in range(COMMON)] for key in (CITY, STREET)}
    with database.unit_of_work() as session:
        execute(session, "delete from match_key", ())
        for key, records in holders.items():
            execute(session, "insert into match_key (key, record_id) select %s, r from unnest(%s::uuid[]) r", (key, array(records)))
        blocks = read_blocks(session, holders, rules)
        found, is_cut = blocks.candidates(tuple(holders))
    assert not is_cut
    return len(found), set(found) == set(shared), set(blocks.crowded)


def test_a_key_is_followed_by_itself_while_its_rule_says_so(clean_database):
    assert met(clean_database, 1, {})[0] == 1 + 2 * COMMON
    assert met(clean_database, 0, {CITY: (100, 100), STREET: (100, 100)})[2] == set()


def test_two_common_keys_are_followed_where_few_enough_hold_both(clean_database):
    wary = {CITY: (5, 2), STREET: (5, 2)}
    assert met(clean_database, 2, wary) == (2, True, {CITY, STREET})


def test_two_common_keys_that_more_hold_together_lead_to_nobody(clean_database):
    assert met(clean_database, 3, {CITY: (5, 2), STREET: (5, 2)}) == (0, False, {CITY, STREET})


def test_no_pair_of_keys_is_followed_further_than_the_warier_rule(clean_database):
    assert met(clean_database, 3, {CITY: (5, 5), STREET: (5, 2)})[0] == 0
    assert met(clean_database, 3, {CITY: (5, 5), STREET: (5, 5)})[0] > 0
