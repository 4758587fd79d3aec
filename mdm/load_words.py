"""What headers of hospital exports call things, in the words that declarations use. Pure.

A header is cut into words; abbreviations and other names become ours. It is vocabulary, not a mapping: a word here suggests nothing that
no declaration has.
"""

import re

from mdm.values.kind import fold

# Whole headers first (they mean something else than their words), then single words.
_PHRASES = {
    "dob": "birth date",
    "birthdate": "birth date",
    "birthday": "birth date",
    "date of birth": "birth date",
    "dod": "deceased date",
    "death date": "deceased date",
    "date of death": "deceased date",
    "firstname": "given name",
    "fname": "given name",
    "first": "given name",
    "first name": "given name",
    "forename": "given name",
    "lastname": "family name",
    "lname": "family name",
    "last": "family name",
    "last name": "family name",
    "surname": "family name",
    "mi": "middle name",
    "middle": "middle name",
    "middle initial": "middle name",
    "maiden name": "previous family name",
    "former name": "previous family name",
    "generation": "suffix",
    "zip": "postal code",
    "zipcode": "postal code",
    "zip code": "postal code",
    "postcode": "postal code",
    "post code": "postal code",
    "postal": "postal code",
    "street": "address line",
    "street address": "address line",
    "address": "address line",
    "address 1": "address line",
    "address line 1": "address line",
    "address 2": "address line 2",
    "apt": "address line 2",
    "gender": "sex",
    "administrative sex": "sex",
    "town": "city",
    "municipality": "city",
    "province": "state",
    "tel": "phone",
    "cell": "phone",
    "mobile": "phone",
    "home phone": "phone",
    "cell phone": "phone",
    "mobile phone": "phone",
    "work phone": "phone",
    "mail": "email",
    "e mail": "email",
    "email address": "email",
    "mrn": "key",
    "medical record number": "key",
    "local id": "key",
    "source id": "key",
    "record id": "key",
    "row id": "key",
    "id": "key",
    "effective date": "valid from",
    "effective from": "valid from",
    "start date": "valid from",
    "effective to": "valid to",
    "end date": "valid to",
    "expiry date": "valid to",
    "active": "status",
    "uom": "base unit",
    "unit of measure": "base unit",
    "mfr part number": "manufacturer part number",
    "mpn": "manufacturer part number",
    "vendor": "supplier",
    "vendor part number": "supplier part number",
    "twin": "multiple birth",
    "preferred language": "language",
}
_WORDS = {
    "addr": "address",
    "bldg": "building",
    "cc": "cost center",
    "centre": "center",
    "cntry": "country",
    "ctr": "center",
    "dept": "department",
    "desc": "description",
    "descr": "description",
    "dt": "date",
    "eff": "effective",
    "fac": "facility",
    "identifier": "id",
    "lic": "licence",
    "license": "licence",
    "loc": "location",
    "manuf": "manufacturer",
    "mfg": "manufacturer",
    "mfr": "manufacturer",
    "nbr": "number",
    "nm": "name",
    "no": "number",
    "num": "number",
    "org": "organization",
    "organisation": "organization",
    "ph": "phone",
    "phn": "phone",
    "pt": "patient",
    "qty": "quantity",
    "ssn": "social security number",
    "st": "state",
    "telephone": "phone",
    "vend": "vendor",
}
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])")
_BREAK = re.compile(r"[^a-z0-9]+")


def words_of(name: str) -> str:
    """The words of a header or a target, ours where it has others; blanks between."""
    words = _BREAK.sub(" ", fold(_CAMEL.sub(" ", name))).strip()
    words = " ".join(_WORDS.get(word, word) for word in words.split())
    return _PHRASES.get(words, words)


def without(words: str, noise: frozenset[str]) -> str:
    """The same without words that only say whose column it is; never empty."""
    left = " ".join(word for word in words.split() if word not in noise)
    return _PHRASES.get(left, left) if left else words
