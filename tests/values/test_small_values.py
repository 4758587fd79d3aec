"""The small kinds: sex, flag, money, number, unit of measure, e-mail, website."""

import pytest

from mdm.values import BY_NAME

NORMAL = [
    ("sex", "female", "F"),
    ("sex", "m", "M"),
    ("sex", "Other", "X"),
    ("flag", "Yes", "true"),
    ("flag", "0", "false"),
    ("flag", "maybe", None),
    ("money", "$1,234.5", "1234.50"),
    ("money", "12.50", "12.50"),
    ("money", ".5", "0.50"),
    ("money", "0.01250", "0.0125"),
    ("money", "USD 7", "7.00"),
    ("money", "1.234,50", None),
    ("money", "", None),
    ("money", ".", None),
    ("number", "1,000", "1000"),
    ("number", "007.50", "7.5"),
    ("number", "0", "0"),
    ("number", "-1", None),
    ("unit_of_measure", "box", "BX"),
    ("unit_of_measure", "Each", "EA"),
    ("unit_of_measure", "CASE", "CS"),
    ("unit_of_measure", "dozen", "DZ"),
    ("unit_of_measure", "E20", "E20"),
    ("unit_of_measure", "bundle of joy", None),
    ("email", "Ada@Example.ORG", "ada@example.org"),
    ("email", "mailto:ada@example.org", "ada@example.org"),
    ("email", "ada at example.org", None),
    ("email", "a@b", None),
    ("website", "https://WWW.Example.org:443/Shop/", "example.org/Shop"),
    ("website", "www.acme.co.uk", "acme.co.uk"),
    ("website", "no website", None),
]


@pytest.mark.parametrize(("kind", "raw", "normal"), NORMAL)
def test_normal_forms(kind: str, raw: str, normal: str | None) -> None:
    reading = BY_NAME[kind].read(raw)
    assert reading.value == normal
    assert reading.is_evidence == (normal is not None)


PLACEHOLDERS = [
    ("sex", "unknown"), ("sex", "U"), ("money", "0"), ("email", "none@none.com"), ("email", "noemail@clinic.example"),
    ("email", "x@noemail.com"),
    ("website", "http://www.none.com"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "raw"), PLACEHOLDERS)
def test_placeholders(kind: str, raw: str) -> None:
    assert BY_NAME[kind].read(raw).problem == "placeholder"


def test_a_negative_amount_is_out_of_range() -> None:
    assert BY_NAME["money"].read("(12.50)").value == "-12.50"
    assert BY_NAME["money"].read("-12.50").problem == "range"


def test_an_email_is_compared_whole_and_in_parts() -> None:
    assert BY_NAME["email"].features("ada@example.org") == {"": "ada@example.org", "local": "ada", "domain": "example.org"}


def test_an_email_with_a_slip_is_compared_as_it_was_typed() -> None:
    email = BY_NAME["email"]
    assert email.told(email.read("ada@example.")) == {"": "ada@example.", "local": "ada"}
    assert email.told(email.read("none@none.com")) == email.told(email.read("no email")) == {}


def test_a_website_is_compared_by_its_registered_domain() -> None:
    assert BY_NAME["website"].features("shop.acme.co.uk/a") == {"": "acme.co.uk"}
    assert BY_NAME["website"].features("shop.acme.com") == {"": "acme.com"}
