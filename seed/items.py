"""Items: every packaging level that is bought or stocked is an item of its own.

Siblings (the same product as each, box and case) agree on everything but unit, count and GTIN, and often share the part number.
Nearly every copy states its pack, as unit and count, in its text or by its GTIN; every copy names the maker or the maker's number.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from factory.base import Factory
from factory.declarations import LazyFunction, Sequence
from factory.random import randgen

from seed.counting import count_from_one
from seed.delivery import Attributes, Delivery, Identifier, Told, held, present
from seed.errors import abbreviated, cased, chance, maybe, take, transposed, typo, unit_written, unpunctuated
from seed.numbers import gtin, local_keys
from seed.suppliers import manufacturer_names
from seed.vocabulary import entries, rows, table, words

TOTAL = 3000
MAKERS_PER_PRODUCT = (5, 6, 7)
LEVELS_LISTED = ((1, 52), (2, 38), (3, 10))
KEY_FORMS = {"erp-north": "{:07d}", "supply-north": "S{:07d}", "ehr-north": "{:06d}", "erp-mercy": "{:08d}"}
# how each system writes: words shortened, letters in capitals, share of copies with each fact
SHORTENED = {"erp-north": 0.15, "supply-north": 0.05, "ehr-north": 0.1, "erp-mercy": 0.45}
CAPITALS = {"erp-north": 0.9, "supply-north": 0.1, "ehr-north": 0.3, "erp-mercy": 1.0}
PART_NUMBER_KNOWN = {"erp-north": 0.97, "supply-north": 0.98, "ehr-north": 0.85, "erp-mercy": 0.92}
GTIN_KNOWN = {"erp-north": 0.7, "supply-north": 0.92, "ehr-north": 0.6, "erp-mercy": 0.5}
PACK_KNOWN = {"erp-north": 0.995, "supply-north": 0.995, "ehr-north": 0.99, "erp-mercy": 0.98}
PACK_IN_TEXT = {"erp-north": 0.15, "supply-north": 0.7, "ehr-north": 0.05, "erp-mercy": 0.4}


@dataclass(frozen=True, slots=True)
class Product:
    """What a manufacturer makes: one size of one thing, at whatever packaging levels."""

    number: int
    name: str
    trade_name: str
    size: str
    maker: int
    part_number: str
    category: str
    unspsc: str
    price_each: Decimal
    flags: str
    packs: tuple[tuple[str, int], ...]
    suffixed: bool

    @property
    def manufacturer(self) -> str:
        return manufacturer_names()[self.maker]


class ProductFactory(Factory[Product]):
    """Products whose maker may mark the packaging level in the part number."""

    class Meta:
        model = Product

    number = Sequence(lambda n: n + 1)
    suffixed = LazyFunction(lambda: randgen.random() < 0.4)


@dataclass(frozen=True, slots=True)
class Item:
    """A product at one packaging level: `quantity` base units in one `unit`."""

    number: int
    product: Product
    unit: str
    quantity: int

    @property
    def part_number(self) -> str:
        marked = self.product.suffixed and len(self.product.packs) > 1 and self.unit in {"BX", "CS"}
        return f"{self.product.part_number}-{self.unit}" if marked else self.product.part_number

    @property
    def gtin(self) -> str:
        level = [pack for pack in self.product.packs if pack[0] == self.unit].index((self.unit, self.quantity))
        return gtin(self.product.maker + 1, self.product.number * 4 + level, self.unit)

    @property
    def price(self) -> Decimal:
        return self.product.price_each * self.quantity


def items(rng: Random) -> list[Told]:
    count_from_one(ProductFactory)
    planned = _plan(rng)
    keys = {system: local_keys(rng, len(planned), form) for system, form in KEY_FORMS.items()}
    return [told for one in planned for told in _told(rng, one, {system: keys[system][one.number - 1] for system in KEY_FORMS})]


def _plan(rng: Random) -> list[Item]:
    """As many whole products as fill the catalogue."""
    products = [product for entry in entries("items", "products") for product in _products(rng, entry)]
    rng.shuffle(products)
    levels = [(product, unit, quantity) for product in products for unit, quantity in product.packs]
    return [Item(number, *level) for number, level in enumerate(levels[:TOTAL], start=1)]


def _products(rng: Random, entry: dict[str, Any]) -> Iterator[Product]:
    """The same thing by several makers, each in all its sizes under neighbouring part numbers."""
    category, unspsc, price, flags = entry["is"]
    makers = rng.sample(range(len(manufacturer_names())), rng.choice(MAKERS_PER_PRODUCT))
    for maker, trade_name in zip(makers, rng.sample(words("items", "trade_names"), len(makers)), strict=True):
        family = rng.randrange(1000, 99_000)
        for step, size in enumerate(entry["sizes"], start=1):
            yield ProductFactory.build(
                name=entry["name"],
                trade_name=trade_name,
                size=size,
                maker=maker,
                part_number=_part_number(rng, maker, family, step),
                category=category,
                unspsc=unspsc,
                price_each=(Decimal(price) * rng.randrange(80, 125) / 100).quantize(Decimal("0.0001")),
                flags=flags,
                packs=_packs(rng, entry["packs"]),
            )


def _part_number(rng: Random, maker: int, family: int, step: int) -> str:
    prefix = rows("suppliers", "manufacturers")[maker][2]
    return rng.choice((f"{prefix}{family:05d}-{step:02d}", f"{prefix}-{family:05d}{step}", f"{family:05d}{step:02d}"))


def _packs(rng: Random, offered: list[list[str]]) -> tuple[tuple[str, int], ...]:
    counts, weights = zip(*LEVELS_LISTED, strict=True)
    wanted = min(rng.choices(counts, weights)[0], len(offered))
    return tuple((unit, int(quantity)) for unit, quantity in sorted(rng.sample(offered, wanted)))


def _told(rng: Random, one: Item, keys: dict[str, str]) -> list[Told]:
    clinical = 0.85 if "I" in one.product.flags or "C" in one.product.flags else 0.4
    shares = [("erp-north", 0.95), ("supply-north", 0.9), ("ehr-north", clinical), ("erp-mercy", 0.7)]
    return [
        Told(f"item-{one.number:04d}", _delivery(rng, one, system, keys, systems)) for systems in [take(rng, shares)] for system in systems
    ]


def _delivery(rng: Random, one: Item, system: str, keys: dict[str, str], systems: list[str]) -> Delivery:
    return Delivery("item", system, keys[system], _attributes(rng, one, system), _identifiers(rng, one, system, keys, systems))


def _identifiers(rng: Random, one: Item, system: str, keys: dict[str, str], systems: list[str]) -> tuple[Identifier, ...]:
    """GTIN of the level (a few of Mercy's list the case's as well) and, in half of the copies, the item number of the group's ledger."""
    written = one.gtin.removeprefix("0") if chance(rng, 0.5) else one.gtin
    names_ledger = system in {"supply-north", "ehr-north"} and "erp-north" in systems
    return held(
        ("gs1-gtin", maybe(rng, GTIN_KNOWN[system], written)),
        ("gs1-gtin", _case_gtin(rng, one) if system == "erp-mercy" and chance(rng, 0.01) else None),
        ("unspsc", maybe(rng, 0.6, one.product.unspsc) if system != "ehr-north" else None),
        ("erp-north", maybe(rng, 0.5, keys["erp-north"]) if names_ledger else None),
    )


def _case_gtin(rng: Random, one: Item) -> str | None:
    others = [Item(0, one.product, *pack).gtin for pack in one.product.packs if pack != (one.unit, one.quantity)]
    return rng.choice(others) if others else None


def _attributes(rng: Random, one: Item, system: str) -> Attributes:
    product = one.product
    pack_known = chance(rng, PACK_KNOWN[system])
    part_number = maybe(rng, PART_NUMBER_KNOWN[system], _copied_part_number(rng, one, SHORTENED[system]))
    noise = SHORTENED[system]
    return present(
        description=_description(rng, one, system, pack_known=pack_known),
        manufacturer=_manufacturer(rng, product, noise) if part_number is None or chance(rng, 0.96) else None,
        manufacturer_part_number=part_number,
        supplier=rng.choice(words("suppliers", "distributors")) if system == "supply-north" and chance(rng, 0.5) else None,
        base_unit=unit_written(rng, "EA", noise),
        pack_unit=unit_written(rng, one.unit, noise) if pack_known else None,
        pack_quantity=str(one.quantity) if pack_known else None,
        unit_price=_price(rng, one) if chance(rng, 0.85) else None,
        latex_free=_flag(rng, product, "L"),
        sterile=_flag(rng, product, "S"),
        implantable=_flag(rng, product, "I"),
        chargeable=_flag(rng, product, "C") if system == "ehr-north" else None,
        category=maybe(rng, 0.7, product.category),
    )


def _description(rng: Random, one: Item, system: str, *, pack_known: bool) -> str:
    """Noun, modifiers and size, always complete; the pack where the system writes it into the text or has no field for it."""
    product = one.product
    name = f"{product.name} {product.trade_name}" if chance(rng, 0.94) else product.name
    if system == "supply-north" and chance(rng, 0.4):
        noun, *rest = name.split()
        name = f"{' '.join(rest)} {noun}"
    name = typo(rng, name) if chance(rng, SHORTENED[system] * 0.15) else name
    text = f"{name} {product.size}"
    text = abbreviated(rng, text, table("items", "abbreviations"), SHORTENED[system])
    if one.quantity > 1 and (not pack_known or chance(rng, PACK_IN_TEXT[system])):
        text = f"{text}, {_pack_text(rng, one)}"
    return cased(rng, text, CAPITALS[system])


def _pack_text(rng: Random, one: Item) -> str:
    return rng.choice((f"{one.quantity}/{one.unit}", f"{one.unit}/{one.quantity}", f"{one.unit.lower()} of {one.quantity}"))


def _manufacturer(rng: Random, product: Product, noise: float) -> str:
    full = product.manufacturer
    short = abbreviated(rng, full, table("suppliers", "abbreviations"), noise)
    return cased(rng, rng.choices((short, f"{short}, Inc.", full.split()[0]), (70, 20, 10))[0], noise * 2)


def _copied_part_number(rng: Random, one: Item, noise: float) -> str:
    """The manufacturer's number: separators left out, seldom two digits swapped."""
    number = unpunctuated(one.part_number).replace(" ", "") if chance(rng, noise) else one.part_number
    return transposed(rng, number) if chance(rng, 0.008) else number


def _price(rng: Random, one: Item) -> str:
    """Contract prices of the two groups differ by a few per cent."""
    return str((one.price * rng.randrange(96, 105) / 100).quantize(Decimal("0.01")))


def _flag(rng: Random, product: Product, letter: str) -> str | None:
    return maybe(rng, 0.6, "true" if letter in product.flags else "false")
