"""Suppliers: the vendor master of three systems. A remit-to site is a vendor of its own, with the name and tax number of its supplier.

Some stems head two companies, a parent and its subsidiary in another business, which share the tax number: they are different suppliers.
"""

from dataclasses import dataclass
from datetime import date
from functools import cache
from random import Random

from factory.base import Factory
from factory.declarations import LazyAttribute, LazyFunction, Sequence
from factory.random import randgen

from seed.counting import count_from_one
from seed.delivery import Attributes, Delivery, Told, held, present
from seed.errors import abbreviated, address_copied, cased, chance, maybe, phone_copied, take, typo, with_legal_form
from seed.numbers import Address, address_in, area_of, ein, gln, local_keys, phone, post_box_in, scattered
from seed.vocabulary import rows, table, words

TOTAL = 300
SUBSIDIARIES = 14
SYSTEMS = (("erp-north", 0.88), ("supply-north", 0.6), ("erp-mercy", 0.5))
KEY_FORMS = {"erp-north": "{:010d}", "supply-north": "V{:06d}", "erp-mercy": "{:06d}"}
REMIT_TO = {"erp-north": 0.9, "erp-mercy": 0.5, "supply-north": 0.0}
WITH_LOCKBOX = 0.27
GLN_FROM = 700_000
TERMS = ("NET30", "NET45", "NET60", "2/10 NET30", "DUE ON RECEIPT")


@dataclass(frozen=True, slots=True)
class Supplier:
    number: int
    name: str
    form: str
    type: str
    address: Address
    remit_to: Address
    phone: str
    tax_number: int
    parent: str | None = None

    @property
    def website(self) -> str:
        return "www." + "".join(c for c in self.name.lower() if c.isalpha())[:24] + ".example"


class SupplierFactory(Factory[Supplier]):
    """Companies with an office, a lockbox for payments and a telephone."""

    class Meta:
        model = Supplier

    number = Sequence(lambda n: n + 1)
    form = LazyFunction(lambda: randgen.choice(words("suppliers", "forms")))
    address = LazyFunction(lambda: address_in(randgen, "national")[0])
    remit_to = LazyFunction(lambda: post_box_in(randgen, "national")[0])
    phone = LazyAttribute(lambda made: phone(randgen, area_of(made.address.city)))
    tax_number = LazyAttribute(lambda made: made.number)


def plan_suppliers(rng: Random) -> tuple[Supplier, ...]:
    """Manufacturers and distributors first, then service companies, among them the subsidiaries."""
    count_from_one(SupplierFactory)
    makers = [SupplierFactory.build(name=f"{stem} {rest}", type="manufacturer") for stem, rest, _ in rows("suppliers", "manufacturers")]
    distributors = [SupplierFactory.build(name=name, type="distributor") for name in words("suppliers", "distributors")]
    wanted = TOTAL - len(makers) - len(distributors) - SUBSIDIARIES
    services = [SupplierFactory.build(name=name, type="service") for name in _service_names(rng, wanted)]
    return (*makers, *distributors, *services, *_subsidiaries(rng, services[:SUBSIDIARIES], makers))


def suppliers(rng: Random, planned: tuple[Supplier, ...]) -> list[Told]:
    keys = {system: iter(local_keys(rng, 2 * TOTAL, form)) for system, form in KEY_FORMS.items()}
    told: list[Told] = []
    for one in planned:
        has_lockbox = chance(rng, WITH_LOCKBOX)
        for system in take(rng, SYSTEMS):
            key = next(keys[system])
            told.append(Told(_entity(one), _delivery(rng, one, system, key, "main")))
            if has_lockbox and chance(rng, REMIT_TO[system]):
                told.append(Told(f"{_entity(one)}-remit-to", _delivery(rng, one, system, f"{key}-R", "remit_to")))
    return told


@cache
def manufacturer_names() -> tuple[str, ...]:
    return tuple(f"{stem} {rest}" for stem, rest, _ in rows("suppliers", "manufacturers"))


def _service_names(rng: Random, count: int) -> list[str]:
    """Every stem in turn with a line of business; a stem that comes up again is another company in another business."""
    stems, lines = words("suppliers", "stems"), words("suppliers", "lines")
    offset = rng.randrange(len(lines))
    return [f"{stems[i % len(stems)]} {lines[(i * 7 + i // len(stems) * 11 + offset) % len(lines)]}" for i in range(count)]


def _subsidiaries(rng: Random, parents: list[Supplier], makers: list[Supplier]) -> list[Supplier]:
    """Half belong to a service company, half to a manufacturer; all share office and tax number with their parent."""
    chosen = [*parents[: SUBSIDIARIES // 2], *makers[: SUBSIDIARIES - SUBSIDIARIES // 2]]
    kinds = rng.sample(("Leasing", "Capital", "Logistics", "Training Academy", "Repair Depot", "Rentals", "Ventures", "Field Support"), 8)
    return [
        SupplierFactory.build(
            name=f"{parent.name.split()[0]} {kinds[i % len(kinds)]}",
            type="service",
            address=parent.address,
            tax_number=parent.tax_number,
            parent=parent.name,
        )
        for i, parent in enumerate(chosen)
    ]


def _entity(one: Supplier) -> str:
    return f"supplier-{one.number:03d}"


def _delivery(rng: Random, one: Supplier, system: str, key: str, role: str) -> Delivery:
    site = role != "main"
    known = held(
        (
            "us-ein",
            maybe(rng, 0.97 if site else 0.88, ein(one.tax_number)) if system != "supply-north" else maybe(rng, 0.4, ein(one.tax_number)),
        ),
        ("duns", maybe(rng, 0.75 if site else 0.5, scattered(one.number, 9))),
        ("gs1-gln", maybe(rng, 0.7, gln(GLN_FROM + one.number)) if system == "supply-north" and one.type != "service" else None),
    )
    since = date(2008 + one.number % 15, 1 + one.number % 12, 1)
    return Delivery("supplier", system, key, _attributes(rng, one, system, role), known, valid_from=since)


def _attributes(rng: Random, one: Supplier, system: str, role: str) -> Attributes:
    noise = {"erp-north": 0.15, "supply-north": 0.3, "erp-mercy": 0.4}[system]
    address = address_copied(rng, one.address if role == "main" else one.remit_to, noise)
    return present(
        name=_name(rng, one, noise, upper=system != "supply-north"),
        type=maybe(rng, 0.8, one.type),
        site_role=role,
        parent_name=maybe(rng, 0.5, one.parent),
        address_line=address.line,
        city=address.city,
        state=address.state,
        postal_code=address.postal_code,
        country="US",
        phone=phone_copied(rng, one.phone, known=0.92 if role != "main" else 0.82),
        email=maybe(rng, 0.35, f"orders@{one.website.removeprefix('www.')}") if role == "main" else None,
        website=maybe(rng, 0.55, one.website),
        payment_terms=rng.choice(TERMS) if system != "supply-north" else None,
    )


def _name(rng: Random, one: Supplier, noise: float, *, upper: bool) -> str:
    name = abbreviated(rng, one.name, table("suppliers", "abbreviations"), noise * 0.7)
    name = typo(rng, name) if chance(rng, noise * 0.1) else name
    return cased(rng, with_legal_form(rng, name, one.form, noise * 1.5), 0.6 if upper else 0.05)
