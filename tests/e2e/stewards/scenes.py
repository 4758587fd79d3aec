"""What tests of the pages find there: work of every kind, as many pairs for review as asked, a tree, codes, rules."""

from datetime import date
from itertools import product

from mdm.access import SYSTEM_ACTOR
from mdm.entities import ENTITY_TYPES
from mdm.ingest import deliver_all
from mdm.mapping_sets import By, Definition, Input, Output, put_set
from mdm.misswork import Counted, Miss, record
from mdm.standardise import Delivery
from mdm.statements import Assertion

WORDS = ["Cardiac", "Renal", "Pediatric", "Nuclear", "Surgical", "Trauma", "Hepatic", "Dental", "Spinal", "Neonatal"]
KINDS = ["Stepdown", "Catheterization", "Imaging", "Infusion", "Recovery", "Admissions", "Therapy", "Dialysis", "Screening", "Clinic"]
SYLLABLES = ["bra", "cor", "del", "fen", "gal", "hus", "jor", "kel", "lan", "mor", "nor", "pol", "qui", "ros", "sel", "tam", "ulv", "wex"]
NAMES = [a + b + c for a, b, c in product(SYLLABLES, repeat=3)]
MARIA = {
    "given_name": "Maria",
    "family_name": "Grayson",
    "birth_date": "1961-04-12",
    "sex": "F",
    "address_line": "12 Oak Street",
    "city": "Salem",
}
MARIE = {"given_name": "Marie", "family_name": "Grayson", "birth_date": "1961-05-12", "sex": "F"}
SSN = "123-45-4410"


def payer_pairs(number):
    """Payers delivered by two systems so alike that a person decides: the same name, nothing else in common."""
    for place in range(number):
        name = f"{NAMES[(place * 41) % len(NAMES)].capitalize()} {NAMES[(place * 97 + 13) % len(NAMES)].capitalize()} Health Plan"
        yield ("billing-north", f"a{place}", {"name": name, "city": "Bath"}, [])
        yield ("ehr-north", f"b{place}", {"name": name, "city": "Salem"}, [])


def maria_and_marie():
    """One pair of patients of whom nobody can tell by machine."""
    return ("ehr-north", "m1", MARIA, [("us-ssn", SSN)]), ("ehr-mercy", "m2", MARIE, [])


def wards(world, deliver, number, first=0):
    """Departments of the ERP and, asked for by Mercy in vain, the same codes; the answers by code."""
    made = {}
    for place in range(first, first + number):
        key, name = f"{4400 + place}", f"{WORDS[place % 10]} {KINDS[place // 10 % 10]}"
        made[key] = deliver("department", ("erp-north", key, {"name": name, "code": key}, ()))[0].golden_id
    with world.unit_of_work() as session:
        misses = [Counted(Miss("department", "ehr-mercy", key), 1000 - int(key) % 100, {"a-flow"}, set()) for key in made]
        record(session, misses)
    return made


def centers(world):
    """Total over East, East over Ward, and one without a place; as of then and now."""

    def send(key, name, parent=None):
        said = [Assertion("rolls_up_to", "erp-north", parent, valid_from=date(2020, 1, 1))] if parent else None
        delivery = Delivery("erp-north", key, {"name": name, "code": key}, (), "active", None, None, said)
        return deliver_all(world, ENTITY_TYPES["cost_center"], SYSTEM_ACTOR, [delivery], "test-request")[0].golden_id

    told = {"total": ("100", "Total"), "east": ("110", "East", "100"), "ward": ("111", "Ward", "110"), "loose": ("900", "Loose")}
    return {name: send(*said) for name, said in told.items()}


def posting(world):
    """A set of rules with several inputs."""
    inputs = Input("department", "department", required=True), Input("payer_class")
    with world.unit_of_work() as session:
        by = By(SYSTEM_ACTOR, "test-request", date(2026, 7, 1))
        put_set(session, by, "posting", Definition("Where charges are posted", inputs, (Output("account"),)), if_match=None)


IDENTITY = """
select md5(concat(
  (select string_agg(concat(record_id, golden_id), ',' order by record_id) from link where recorded_to is null),
  (select string_agg(concat(golden_id, "values"), ',' order by golden_id) from golden_version where recorded_to is null),
  (select string_agg(concat(golden_id, system_id, value), ',' order by system_id, value, golden_id) from xref where recorded_to is null)))
"""  # links, golden values, crosswalk
OPEN = "select md5(string_agg(dedupe_key, ',' order by dedupe_key)) from task where status = 'open'"
STATE = f"select concat(({IDENTITY}), ({OPEN}))"  # and open work


def proposed_cut(deliver, number=0, name="Brabrabra Mutual Health Plan"):
    """Two records of one payer that an update all but parts: the machine proposes to. Another number and name are another payer."""
    naic = [("us-naic", f"{12345 + number}")]
    whole = {"name": name, "city": "Bath", "postal_code": "04530"}
    deliver("payer", ("billing-north", f"h{number}a", whole, naic), ("ehr-north", f"h{number}b", whole, naic))
    deliver("payer", ("ehr-north", f"h{number}b", {"name": name, "parent_name": "Tidal Group"}, []))


def overlay(deliver):
    """An update that turns Robert into Linda."""
    robert = ("Robert", NAMES[5], "1950-01-30", "M", "900 Pine Ave", "Bath")
    linda = ("Linda", NAMES[900], "1990-11-03", "F", "3 Elm Road", "Austin")
    for values in (robert, linda):
        known = dict(zip(("given_name", "family_name", "birth_date", "sex", "address_line", "city"), values, strict=True))
        deliver("patient", ("ehr-north", "r0", known, []))
