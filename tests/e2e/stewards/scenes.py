"""Work for stewards: pairs that end up for review, as many as asked, no two pairs alike."""

from itertools import product

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
