"""Names of organisations and facilities: compared as words without legal form, small words and abbreviations.

The last word of a name is never dropped: "The Company" and "SP" stay what they are. Numbers, unit codes and lone letters (Floor 3, 4W,
Dock B) are identity, and so is a payer's line of business: two names that differ in them are never the same.
"""

import re
from functools import lru_cache
from itertools import pairwise

from mdm.values.kind import Feature, Features, ValueType
from mdm.values.placeholders import says_nothing
from mdm.values.words import OPPOSED, SMALL_WORDS, Dictionary, dictionary, expand, opposed, without, words_of

_LEGAL_FORM_NAMES = (
    "inc, incorporated, corp, corporation, co, company, cos, companies, llc, l l c, limited liability company, llp, lllp, lp, l p, "
    "limited partnership, limited liability partnership, ltd, limited, plc, pllc, p l l c, pc, p c, pa, p a, professional corporation, "
    "professional association, na, n a, nv, n v, bv, b v, ag, gmbh, gmbh co kg, gmbh and co kg, kg, mbh, "
    "gesellschaft mit beschrankter haftung, sa, s a, sas, sarl, srl, s r l, spa, s p a, sl, s l, sa de cv, s a de c v, de cv, oy, "
    "oyj, ab, aps, as, a s, asa, kk, k k, pty, pty ltd, pte, pte ltd, pvt, pvt ltd, private limited, sp z o o, sp z oo, spzoo, holdings, "
    "holding, usa, us, trust co, aktiengesellschaft, joint stock company, open joint stock company, public joint stock company, "
    "closed joint stock company, jsc, ojsc, pjsc, cjsc, ooo, oao, zao, pao, ltda, eood, ood, doo, d o o, fze, dmcc, bhd, sdn bhd"
)
_LEGAL_FORMS = frozenset(tuple(form.split()) for form in _LEGAL_FORM_NAMES.split(", "))
_LEADING_NAMES = (
    "joint stock company, open joint stock company, public joint stock company, closed joint stock company, limited liability company, "
    "jsc, ojsc, pjsc, cjsc, ooo, oao, zao, pao, tov"
)
_LEADING_FORMS = frozenset(tuple(form.split()) for form in _LEADING_NAMES.split(", "))
_LONGEST_LEGAL_FORM = max(map(len, _LEGAL_FORMS))

_ORGANISATIONS = {
    "intl, int l, internatl": "international",
    "natl, nat l": "national",
    "amer": "american",
    "assn, assoc": "association",
    "mfg, mfr": "manufacturing",
    "mgmt, mgt": "management",
    "svc, svcs, srvcs, service": "services",
    "sys, system": "systems",
    "tech, techs, technology": "technologies",
    "dist, distr, distrib, distributor, distributors": "distribution",
    "const, constr": "construction",
    "ortho": "orthopedics",
    "admin, admins, administrator": "administrators",
    "mcare": "medicare",
    "mcaid": "medicaid",
    "medicare adv, mcare adv": "medicare advantage",
    "medicare supp, medicare suppl, mcare supp, medigap": "medicare supplement",
    "workers comp, worker comp, work comp, worker compensation": "workers compensation",
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "grp, gp": "group",
    "ins": "insurance",
    "hlth": "health",
    "healthcare": "health care",
    "hlthcare, hc": "health care",
    "hosp, hsp": "hospital",
    "med": "medical",
    "surg": "surgical",
    "pharm, pharma": "pharmaceuticals",
    "pharmaceutical": "pharmaceuticals",
    "lab, labs, laboratory": "laboratories",
    "ctr, cntr, centre": "center",
    "univ": "university",
    "inst": "institute",
    "dept": "department",
    "equip": "equipment",
    "supp, supply": "supplies",
    "prod, prods, product": "products",
    "ind, inds": "industries",
    "instr": "instruments",
    "sol, soln, solns, solution": "solutions",
    "sci, scis": "sciences",
    "diag, dx": "diagnostics",
    "ben, benef, benefits": "benefit",
    "fdn, fndn": "foundation",
    "govt": "government",
    "bcbs, bc bs": "blue cross blue shield",
    "uhc": "united health care",
    "unitedhealthcare": "united health care",
    "unitedhealth": "united health",
}
_SIDES = ("north", "south", "east", "west")
_HIGHEST = 30
# 5 North, North 5 and N5 are 5n; a floor's number belongs to the floor and not to the wing named after it.
_UNITS = {f"{n} {side}, {side} {n}, {side[0]}{n}, {n} {side[0]}": f"{n}{side[0]}" for n in range(1, _HIGHEST + 1) for side in _SIDES}
_FLOORS = {f"floor {n}, fl {n}, flr {n}, level {n}": f"floor {n}" for n in range(1, _HIGHEST + 1)}
_ORDINALS = {"1st, first": "1", "2nd, second": "2", "3rd, third": "3", "4th, fourth": "4", "5th, fifth": "5", "6th, sixth": "6"}
_FACILITIES = (
    _ORGANISATIONS
    | _UNITS
    | _FLOORS
    | _ORDINALS
    | {
        "st": "saint",
        "sts": "saints",
        "mt": "mount",
        "ft": "fort",
        "mem, meml, memrl": "memorial",
        "rgnl, reg, regl": "regional",
        "comm, cmty, commty": "community",
        "gen, genl": "general",
        "cnty, co": "county",
        "rehab": "rehabilitation",
        "nsg, nrsg": "nursing",
        "amb": "ambulatory",
        "outpt, op": "outpatient",
        "inpt": "inpatient",
        "clin, clinics": "clinic",
        "bldg": "building",
        "flr, fl": "floor",
        "rm": "room",
        "mob": "medical office building",
        "mc": "medical center",
        "snf": "skilled nursing facility",
        "ltc": "long term care",
        "asc": "ambulatory surgery center",
        "er": "emergency",
        "icu": "intensive care unit",
        "hospitals": "hospital",
    }
)
_ORGANISATION_WORDS, _FACILITY_WORDS = dictionary(_ORGANISATIONS), dictionary(_FACILITIES)
_WORDS_OF_AN_ACRONYM = 3
_NUMBER = re.compile(r"[a-z0-9]*[0-9][a-z0-9]*")
_PARTS = frozenset(
    {
        *(
            "annex",
            "area",
            "building",
            "campus",
            "dock",
            "floor",
            "gate",
            "hall",
            "level",
            "lot",
            "option",
            "part",
            "pavilion",
            "plan",
            "pod",
        ),
        *("room", "section", "site", "suite", "tower", "type", "unit", "ward", "wing", "zone"),
    }
)
_LINES = frozenset(
    {
        "hmo",
        "ppo",
        "pos",
        "epo",
        "hdhp",
        "advantage",
        "supplement",
        "medicaid",
        "exchange",
        "marketplace",
        "workers",
        "auto",
        "dental",
        "vision",
    }
)


def _core(value: str, meanings: Dictionary) -> list[str]:
    words = words_of(value)
    words = words[1:] if words[:1] == ["the"] and len(words) > 1 else words
    words = expand(_without_legal_forms(words), meanings)
    return without(words, SMALL_WORDS)


def _without_legal_forms(words: list[str]) -> list[str]:
    lead = next((n for n in range(min(_LONGEST_LEGAL_FORM, len(words) - 1), 0, -1) if tuple(words[:n]) in _LEADING_FORMS), 0)
    words = words[lead:]
    while True:
        length = next((n for n in range(min(_LONGEST_LEGAL_FORM, len(words) - 1), 0, -1) if tuple(words[-n:]) in _LEGAL_FORMS), 0)
        if length == 0:
            return words[:-1] if len(words) > 1 and words[-1] == "and" else words
        words = words[:-length]


@lru_cache(maxsize=20_000)
def _organisation_features(value: str) -> Features:
    words = _core(value, _ORGANISATION_WORDS)
    lines = tuple(sorted(_LINES.intersection(words)))
    return {**_features_of(words), **({"lines": lines} if lines else {})}


@lru_cache(maxsize=20_000)
def _facility_features(value: str) -> Features:
    features = _features_of(_core(value, _FACILITY_WORDS))
    # An acronym stands beside the words, so that NLH and the full name are not two facilities without a word in common.
    marks = sorted({*features.get("tokens", ()), *filter(None, (features.get("acronym"),))})
    return {**features, **({"marks": tuple(marks)} if marks else {})}


def _features_of(words: list[str]) -> dict[str, Feature]:
    if not words:
        return {}
    acronym = {"acronym": "".join(word[0] for word in words)} if len(words) >= _WORDS_OF_AN_ACRONYM else {}
    numbers = " ".join(sorted(_numbers(words)))
    pairs = tuple(dict.fromkeys(" ".join(sorted(two)) for two in pairwise(words))) or (words[0],)
    return {
        "": " ".join(words),
        "tokens": tuple(sorted(set(words))),
        "pairs": pairs,
        **acronym,
        **({"numbers": numbers} if numbers else {}),
        **opposed(words),
    }


def _numbers(words: list[str]) -> set[str]:
    """Numbers, unit codes, and letters that name a part (Dock B, Part A): not the initials of a person or of a spelt-out abbreviation."""
    found = {word.lstrip("0") or "0" for word in words if _NUMBER.fullmatch(word)}
    for before, word, behind in zip(["", *words], words, [*words[1:], ""], strict=False):
        if len(word) == 1 and word.isalpha() and (before in _PARTS or (len(before) > 1 and not behind)):
            found.add(word)
    return found


def _name(text: str) -> str | None:
    return text if any(character.isalnum() for character in text) else None


_problem = says_nothing("organisation")

ORGANISATION_NAME = ValueType(
    name="organisation_name",
    label="Organisation name",
    example="Acme Medical Supply, Inc.",
    normalise=_name,
    validate=_problem,
    features=_organisation_features,
    feature_names=("", "tokens", "pairs", "acronym", "numbers", *OPPOSED, "lines"),
    alone="same_organisation",
    max_length=300,
)

FACILITY_NAME = ValueType(
    name="facility_name",
    label="Facility name",
    example="St. Mary Mem. Hosp.",
    normalise=_name,
    validate=_problem,
    features=_facility_features,
    feature_names=("", "tokens", "pairs", "acronym", "numbers", *OPPOSED, "marks"),
    max_length=300,
)
