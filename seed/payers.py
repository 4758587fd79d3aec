"""Payers and their plan lines. Lines of one parent share address and telephone; name and payer id part them.

Payer ids belong to a clearinghouse: the same five characters are another payer at the other one.
"""

from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from factory.base import Factory
from factory.declarations import LazyAttribute, LazyFunction, Sequence
from factory.random import randgen

from seed.counting import count_from_one
from seed.delivery import Attributes, Delivery, Told, held, present
from seed.errors import abbreviated, address_copied, cased, chance, maybe, phone_copied, take, transposed, with_legal_form
from seed.numbers import Address, local_keys, phone, post_box_in, scattered
from seed.vocabulary import mixed_rows, rows, table

SYSTEMS = (("ehr-north", 0.88), ("billing-north", 0.88), ("ehr-mercy", 0.66))
KEY_FORMS = {"ehr-north": "{:05d}", "billing-north": "INS{:04d}", "ehr-mercy": "{:06d}"}
WRONG_ID = 0.02


@dataclass(frozen=True, slots=True)
class Parent:
    """The company that answers for one or more plan lines."""

    number: int
    name: str
    form: str | None
    address: Address
    phone: str
    website: str | None


class ParentFactory(Factory[Parent]):
    class Meta:
        model = Parent

    number = Sequence(lambda n: n + 1)
    address = LazyFunction(lambda: post_box_in(randgen, "national")[0])
    phone = LazyFunction(lambda: phone(randgen, randgen.choice(("800", "888", "877", "866"))))
    website = LazyAttribute(lambda made: f"www.{made.name.replace(' ', '').lower()}.example" if made.form else None)


@dataclass(frozen=True, slots=True)
class Payer:
    number: int
    parent: Parent
    line: str
    type: str

    @property
    def name(self) -> str:
        return f"{self.parent.name} {self.line}".strip()

    @property
    def alpha_id(self) -> str:
        return scattered(self.number, 5)

    @property
    def beta_id(self) -> str:
        """Beta's ids have a letter, but for a few that are another payer's id at Alpha."""
        return scattered(self.number + 40, 5) if self.number <= 3 else f"B{scattered(self.number + 500, 4)}"


def payers(rng: Random) -> list[Told]:
    count_from_one(ParentFactory)
    planned = _plan()
    keys = {system: local_keys(rng, len(planned), form, 5, 9_000) for system, form in KEY_FORMS.items()}
    return [
        Told(f"payer-{one.number:03d}", _delivery(rng, one, system, keys[system][one.number - 1]))
        for one in planned
        for system in take(rng, SYSTEMS)
    ]


def _plan() -> list[Payer]:
    types = table("payers", "types")
    lines = [(parent, line, types.get(line, "commercial")) for row in mixed_rows("payers", "parents") for parent, line in _lines(row)]
    public = [(ParentFactory.build(name=name, form=None), "", kind) for name, kind in rows("payers", "public")]
    return [Payer(number, *described) for number, described in enumerate([*lines, *public], start=1)]


def _lines(row: tuple[Any, ...]) -> list[tuple[Parent, str]]:
    name, lines, form = row
    parent = ParentFactory.build(name=name, form=form)
    return [(parent, line) for line in lines]


def _delivery(rng: Random, one: Payer, system: str, key: str) -> Delivery:
    alpha = one.alpha_id if system != "ehr-mercy" else None
    beta = one.beta_id if system != "ehr-north" else None
    known = held(
        ("payer-id-alpha", _copied_id(rng, alpha)),
        ("payer-id-beta", _copied_id(rng, beta)),
        ("us-naic", maybe(rng, 0.3, scattered(one.parent.number + 900, 5)) if one.parent.form else None),
    )
    return Delivery("payer", system, key, _attributes(rng, one, system), known, valid_from=date(2015 + one.number % 8, 1, 1))


def _copied_id(rng: Random, payer_id: str | None) -> str | None:
    """A payer id as typed: now and then unknown, seldom with two characters swapped."""
    if payer_id is None or not chance(rng, 0.93):
        return None
    return transposed(rng, payer_id) if chance(rng, WRONG_ID) else payer_id


def _attributes(rng: Random, one: Payer, system: str) -> Attributes:
    noise = {"ehr-north": 0.15, "billing-north": 0.35, "ehr-mercy": 0.4}[system]
    address = address_copied(rng, one.parent.address, noise * 0.6)
    address_known = one.type != "self_pay" and chance(rng, 0.9)
    return present(
        name=_name(rng, one, noise, upper=system != "ehr-north"),
        parent_name=maybe(rng, 0.5, one.parent.name) if one.line else None,
        type=one.type,
        address_line=address.line if address_known else None,
        city=address.city if address_known else None,
        state=address.state if address_known else None,
        postal_code=address.postal_code if address_known else None,
        phone=phone_copied(rng, one.parent.phone, known=0.8) if one.type != "self_pay" else None,
        website=maybe(rng, 0.3, one.parent.website),
    )


def _name(rng: Random, one: Payer, noise: float, *, upper: bool) -> str:
    name = abbreviated(rng, one.name, table("payers", "abbreviations"), noise)
    if one.parent.form and not one.line:
        name = with_legal_form(rng, name, one.parent.form, noise)
    return cased(rng, name, 0.7 if upper else 0.1)
