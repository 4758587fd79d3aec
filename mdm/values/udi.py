"""UDI-DI, the device identifier inside a unique device identification: the production part and application identifiers are stripped.

GS1: the GTIN-14 after (01). HIBCC: labeler, product and unit digit, without + and check character. ICCBBA: 16 characters after =/.
"""

import re

from stdnum import ean

from mdm.values.gtin import GTIN
from mdm.values.hibcc import hibcc_check_holds
from mdm.values.kind import ValueType, clean_text

_GS1 = re.compile(r"\(01\)\s*([0-9]{14})(?:\(.*)?|01([0-9]{14})(?:[0-9].*)?", re.ASCII)
_HIBCC = re.compile(r"\+([A-Z][0-9A-Z]{3}[0-9A-Z]{1,18}[0-9])(?:[0-9A-Z\-. $/+%]|/[^\s]+)", re.ASCII)
_ICCBBA = re.compile(r"=/([0-9A-Z]{16})(?:[=&].*)?", re.ASCII)
_BARE = re.compile(r"[A-Z][0-9A-Z]{3}[0-9A-Z]{1,18}[0-9]|[0-9A-Z]{16}", re.ASCII)


def _device_identifier(raw: str) -> str | None:
    if raw.lstrip().startswith("+"):
        return _hibcc(raw.lstrip().rstrip("\r\n\t").upper())
    text = clean_text(raw).upper()
    gs1 = _GS1.fullmatch(text)
    if gs1:
        return gs1[1] or gs1[2]
    iccbba = _ICCBBA.fullmatch(text)
    bare = _BARE.fullmatch(text)
    return GTIN.normalise(text) or (iccbba[1] if iccbba else None) or (bare[0] if bare else None)


def _hibcc(text: str) -> str | None:
    found = _HIBCC.fullmatch(text)
    if found is None:
        return None
    whole_is_primary = len(text) == len(found[1]) + 2
    # A wrong check character stays visible, so that the check can still fail after normalisation.
    return text if whole_is_primary and not hibcc_check_holds(text) else found[1]


def _problem(value: str) -> str | None:
    wrong = value.startswith("+") or (value.isdigit() and len(value) == len("00614141123452") and not ean.is_valid(value))
    return "check_digit" if wrong else None


UDI_DI = ValueType(
    name="udi_di",
    label="UDI device identifier",
    example="00614141123452",
    normalise=_device_identifier,
    validate=_problem,
    placeholders=GTIN.placeholders,
    max_length=120,
    trim=False,
)
