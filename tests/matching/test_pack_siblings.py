"""Pack siblings: the same text and part number in another pack is another item, in every notation. Another notation is no other pack.

EM cannot learn this, for siblings agree on all else, so it is a veto. The set is made here, from one seed.
"""

from itertools import combinations
from random import Random

import pytest

from matching.bulk import Room
from matching.model import Columns
from matching.pipeline import find_duplicates, link_files
from matching.score import Scorer
from mdm.entities import ENTITY_TYPES
from mdm.standardise import Delivery
from tests.entities.test_every_domain import SOURCES, standard

ITEM = ENTITY_TYPES["item"]
ROOM = Room(memory="500MB", threads=1)
PRODUCTS, PACKS_EACH = 100, 3
PARTNERS_FOUND_MIN = 0.95

NOUNS = (
    "Catheter Foley",
    "Glove exam nitrile",
    "Needle hypodermic",
    "Gauze sponge",
    "Syringe luer lock",
    "Mask procedure",
    "Electrode ECG",
)
NAMES = ("Velora", "Serenta", "Calmora", "Novelo", "Fortiva", "Glidera", "Ambrel", "Supremo", "Benovar", "Quantora", "Meliora")
KINDS = ("silicone coated", "low profile", "with valve", "textured", "radiopaque", "soft tip", "reinforced", "clear", "blue", "extended")
MAKERS = ("Larkspur Medical", "Corvane Surgical", "Dextrion Healthcare", "Pulmara Devices", "Opterra")
COUNTS = (4, 5, 6, 8, 10, 12, 20, 24, 25, 36, 40, 48, 50, 60, 100, 144, 200, 250, 500, 1000)
NOTATIONS = (
    "{}/BX", "BX of {}", "{} per box", "{}ct BX", "CS/{}", "{}/CS", "box of {}", "{} EA/BX", "{} each per case", "BX/{}", "{} count box",
    "case of {}", "{}-pack", "BX ({})", "Box, {}", "{} in a box",
)  # fmt: skip

Record = tuple[str, dict[str, str | list[str]]]


def products(rng: Random) -> list[dict[str, str | list[str]]]:
    names = rng.sample([f"{noun} {name} {kind}" for noun in NOUNS for name in NAMES for kind in KINDS], PRODUCTS)
    numbers = rng.sample(range(10_000, 99_999), PRODUCTS)
    return [
        {"description": name, "manufacturer": rng.choice(MAKERS), "manufacturer_part_number": f"LK-{number}"}
        for name, number in zip(names, numbers, strict=True)
    ]


def told(rng: Random, product: dict[str, str | list[str]], count: int) -> dict[str, str | list[str]]:
    """One pack of a product in one notation: in the text, in columns, or in both; some catalogues are in capitals."""
    notation = rng.choice(NOTATIONS).format(count)
    text = f"{product['description']}, {notation}" if rng.random() < 0.8 else product["description"]
    record = {**product, "description": str(text).upper() if rng.random() < 0.3 else text}
    if text == product["description"] or rng.random() < 0.3:
        record |= {"base_unit": "EA", "pack_unit": "BX", "pack_quantity": str(count)}
    return record


def siblings() -> tuple[dict[str, Columns], dict[str, Columns]]:
    """Two catalogues with every pack of every product once; names are product/count/catalogue."""
    rng = Random(20_260)
    left: dict[str, Columns] = {}
    right: dict[str, Columns] = {}
    for number, product in enumerate(products(rng)):
        for count in rng.sample(COUNTS, PACKS_EACH):
            for side, records in (("left", left), ("right", right)):
                name = f"{number}/{count}/{side}"
                records[name] = standard(ITEM, Delivery(SOURCES[0], name, told(rng, product, count))).columns
    return left, right


LEFT, RIGHT = siblings()
RECORDS = LEFT | RIGHT
trained = pytest.mark.parametrize("train", [False, True], ids=["declared", "trained"])


def item(name: str) -> str:
    """What the record really is: this product in this pack."""
    return name.rsplit("/", 1)[0]


def pairs(*, partners: bool) -> list[tuple[str, str]]:
    """Pairs of one product: those of the same pack, or those of two packs."""
    names = sorted(RECORDS, key=lambda name: int(name.split("/")[0]))
    near = [names[start : start + 2 * PACKS_EACH] for start in range(0, len(names), 2 * PACKS_EACH)]
    return [pair for group in near for pair in combinations(group, 2) if (item(pair[0]) == item(pair[1])) == partners]


def test_there_are_enough_of_them() -> None:
    assert len(RECORDS) == 600
    assert len(pairs(partners=False)) == 1200
    assert len(pairs(partners=True)) == 300


def test_online_every_sibling_is_vetoed_and_every_partner_links() -> None:
    scorer = Scorer(ITEM.model)
    assert all(scorer.score(RECORDS[a], RECORDS[b]).vetoes for a, b in pairs(partners=False))
    found = [scorer.score(RECORDS[a], RECORDS[b]) for a, b in pairs(partners=True)]
    assert not any(score.vetoes for score in found)
    assert all(score.weight >= ITEM.model.thresholds.link for score in found)


@trained
def test_in_one_set_no_group_holds_two_packs(*, train: bool) -> None:
    found = find_duplicates(ITEM.model, RECORDS, train=train, room=ROOM)
    assert [link for link in found.links if item(link[0]) != item(link[1])] == []
    assert len(found.links) >= PARTNERS_FOUND_MIN * len(pairs(partners=True))
    scorer = Scorer(found.model)
    assert all(scorer.score(RECORDS[a], RECORDS[b]).vetoes for a, b in pairs(partners=False))


@trained
def test_between_two_files_no_link_joins_two_packs(*, train: bool) -> None:
    found = link_files(ITEM.model, LEFT, RIGHT, train=train, room=ROOM)
    assert [link for link in found.links if item(link[0]) != item(link[1])] == []
    assert len(found.links) >= PARTNERS_FOUND_MIN * len(LEFT)


def test_without_a_partner_a_sibling_stays_alone() -> None:
    """Half of the packs are in one catalogue only: the other pack of the same product must not take their place."""
    lone = {name: columns for name, columns in RIGHT.items() if is_in_both(name)}
    found = link_files(ITEM.model, LEFT, lone, room=ROOM)
    assert [link for link in found.links if item(link[0]) != item(link[1])] == []


def is_in_both(name: str) -> bool:
    return int(name.split("/", maxsplit=1)[0]) % 2 == 0
