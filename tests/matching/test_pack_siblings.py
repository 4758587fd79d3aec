"""Pack siblings: the same text and part number in another pack is another item, in every notation. Another notation is no other pack.

One each, packs within packs and texts that tell no pack are among them.

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

EACH = ("each", "EA", "1/EA", "1 each", "per each", "sold by the each")
NESTED = (
    "{}x{}/CS", "{} x {} per case", "case of {} boxes of {}", "{} boxes of {}", "case of {}x{}", "{} BX/CS {}/BX",
    "case of {} boxes, {} per box",
)  # fmt: skip
IN_WORDS = {
    6: ("half dozen", "1/2 dozen"),
    10: ("pack of ten", "ten pack"),
    12: ("dozen", "1 DZ", "per dozen"),
    24: ("2 dozen", "two dozen per box"),
}
FACTORS = (10, 4, 5, 2)

Record = tuple[str, dict[str, str | list[str]]]


def products(rng: Random) -> list[dict[str, str | list[str]]]:
    names = rng.sample([f"{noun} {name} {kind}" for noun in NOUNS for name in NAMES for kind in KINDS], PRODUCTS)
    numbers = rng.sample(range(10_000, 99_999), PRODUCTS)
    return [
        {"description": name, "manufacturer": rng.choice(MAKERS), "manufacturer_part_number": f"LK-{number}"}
        for name, number in zip(names, numbers, strict=True)
    ]


def notation(rng: Random, count: int) -> str:
    """One way to write this count."""
    if count == 1:
        return rng.choice(EACH)
    outer = next((outer for outer in FACTORS if count % outer == 0 and count > outer), None)
    if outer and rng.random() < 0.25:
        return rng.choice(NESTED).format(outer, count // outer)
    if count in IN_WORDS and rng.random() < 0.5:
        return rng.choice(IN_WORDS[count])
    return rng.choice(NOTATIONS).format(count)


def told(rng: Random, product: dict[str, str | list[str]], count: int) -> dict[str, str | list[str]]:
    """One pack of a product in one notation: in the text, in columns, or in both; some catalogues are in capitals."""
    text = f"{product['description']}, {notation(rng, count)}" if rng.random() < 0.8 else product["description"]
    record = {**product, "description": str(text).upper() if rng.random() < 0.3 else text}
    if text == product["description"] or rng.random() < 0.3:
        record |= {"base_unit": "EA", "pack_unit": "EA" if count == 1 else "BX", "pack_quantity": str(count)}
    return record


def siblings() -> tuple[dict[str, Columns], dict[str, Columns]]:
    """Two catalogues with every pack of every product once; names are product/count/catalogue."""
    rng = Random(20_260)
    left: dict[str, Columns] = {}
    right: dict[str, Columns] = {}
    for number, product in enumerate(products(rng)):
        each = (1,) if number % 3 == 0 else ()
        for count in (*each, *rng.sample(COUNTS, PACKS_EACH - len(each))):
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


def silent(name: str) -> Columns:
    """The record of this name as a catalogue delivers it that tells no pack."""
    product = products(Random(20_260))[int(name.split("/", maxsplit=1)[0])]
    return standard(ITEM, Delivery(SOURCES[0], f"{name}/silent", product)).columns


def test_who_tells_no_pack_is_one_each_or_a_question() -> None:
    scorer = Scorer(ITEM.model)
    told_of = {name: scorer.score(columns, silent(name)) for name, columns in LEFT.items()}
    assert all(score.weight >= ITEM.model.thresholds.link for score in told_of.values())
    assert {bool(score.vetoes) for name, score in told_of.items() if "/1/" in name} == {False}
    assert {score.vetoes for name, score in told_of.items() if "/1/" not in name} == {("one pack unknown",)}


def test_two_that_tell_no_pack_link() -> None:
    score = Scorer(ITEM.model).score(silent("0/1/left"), silent("0/1/right"))
    assert score.weight >= ITEM.model.thresholds.link
    assert not score.vetoes


def test_between_two_files_a_silent_side_takes_no_pack() -> None:
    lone = {f"{number}/0/right": silent(f"{number}/0/right") for number in range(PRODUCTS)}
    packs = {name: columns for name, columns in LEFT.items() if "/1/" not in name}
    assert link_files(ITEM.model, packs, lone, room=ROOM).links == []


def is_in_both(name: str) -> bool:
    return int(name.split("/", maxsplit=1)[0]) % 2 == 0
