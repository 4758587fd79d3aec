"""Comparisons that several domains declare alike, and the short form in which all of them are written.

A comparison is written without its last level: what is left of m and u to 1 is the level that holds when nothing else did.
"""

from dataclasses import replace

from matching.levels import alike, either_crossed, same, shares, soft_contains, soft_jaccard, within_edits, word_for_word, words_agree
from matching.model import Comparison, Level, Test, Veto


def level(label: str, m: float, u: float, *any_of: Test) -> Level:
    return Level(label, m, u, any_of)


def compared(
    name: str, group: str, *levels: Level, needs: str | tuple[str, ...], unless: tuple[str, str] | None = None, otherwise: str = "different"
) -> Comparison:
    """A comparison whose last level gets the rest of m and u."""
    rest = Level(otherwise, 1 - sum(step.m for step in levels), 1 - sum(step.u for step in levels))
    return Comparison(name, (needs,) if isinstance(needs, str) else needs, (*levels, rest), group, unless)


def same_or_not(name: str, column: str, group: str, *, m: float, u: float, unless: tuple[str, str] | None = None) -> Comparison:
    """Two levels: the same value, or another one."""
    return compared(name, group, level("same", m, u, same(column)), needs=column, unless=unless)


def in_its_script(name: str, column: str, group: str, *, as_much_as: Level, unlike: float = 0.03) -> Comparison:
    """A name that has no Latin spelling: the same one counts as much as a Latin one does, another one is another name.

    Beside a Latin spelling it says nothing: nobody knows how it would be spelt. `unlike`: share of such pairs of one entity.
    """
    m = 1 - unlike
    same_name = replace(level("same", m, m * as_much_as.u / as_much_as.m, same(column)), frequency=as_much_as.frequency and column)
    return compared(name, group, same_name, needs=column)


def cross_reference() -> Comparison:
    """One record names the other's key, or both name the same third one. No common key is the normal case, so it says nothing."""
    return compared("cross reference", "identifier", level("common key", 0.03, 2e-7, shares("keys")), needs="keys", otherwise="none")


def street(*, m: float, u: float) -> Comparison:
    """The core street name, without number, type and unit."""
    column = "address_line.street"
    return compared(
        "street",
        "location",
        level("same", m, u, same(column)),
        level("near", 0.1, u / m * 0.18, alike(column, 0.92), within_edits(column, 1)),
        level("alike", 0.06, u / m * 0.3, alike(column, 0.82), within_edits(column, 2)),
        needs=column,
        otherwise="another street",
    )


def house_number(*, m: float, u: float) -> Comparison:
    """Only speaks where the street agrees: a number alone is no place."""
    column = "address_line.number"
    near = level("one digit off", 0.08, 0.07, within_edits(column, 1))
    needs = (column, "address_line.street")
    return compared("house number", "location", level("same", m, u, same(column)), near, needs=needs, unless=("street", "another street"))


def postal_code(*, m: float, u: float, area_u: float) -> Comparison:
    column = "postal_code"
    return compared(
        "postal code",
        "location",
        level("same", m, u, same(column)),
        level("one digit off", 0.07, u / m * 0.3, within_edits(column, 1)),
        level("same area", 0.08, area_u, same("postal_code.area")),
        needs=column,
    )


def city(*, m: float, u: float) -> Comparison:
    near = level("near", 0.08, u / m * 0.12, alike("city", 0.88), within_edits("city", 2))
    return compared("city", "location", level("same", m, u, same("city")), near, needs="city")


def phone(*, m: float, u: float) -> Comparison:
    near = level("one digit off", 0.07, u / m * 0.35, within_edits("phone", 1))
    return compared("phone", "contact", level("same", m, u, same("phone")), near, needs="phone")


def switchboard(*, m: float, u: float) -> Comparison:
    """The phone of a place, which many people dial and some lists write without the area code."""
    return compared(
        "phone",
        "contact",
        level("same", m, u, same("phone")),
        level("same local number", 0.05, u / m * 0.05, same("phone.local")),
        level("one digit off", 0.05, u / m * 0.25, within_edits("phone.local", 1)),
        needs="phone.local",
    )


def organisation_name(column: str, *, same_u: float, other_names: str | None = None) -> Comparison:
    """Words in any order, legal forms gone. Where both sides keep words of their own, that is a conflict: a sister, a site, a successor.

    A name within the other is a sibling more often than a variant. A conflict outdoes address, phone, web site, tax number and one
    registered number together: what shares all of them under another name is at most for a person to decide.
    """
    tokens = f"{column}.tokens"
    alias = (either_crossed(column, other_names), shares(other_names)) if other_names else ()
    known = (level("known by that name", 0.05, same_u * 0.5, *alias),) if alias else ()
    same_m = 0.656 if alias else 0.706
    return compared(
        "name",
        "name",
        level("same", same_m - 7e-8, same_u, same(column)),
        *known,
        level("same words", 0.21, same_u * 1.4, words_agree(tokens, 5)),
        level("spelt alike", 0.05, same_u * 0.8, within_edits(column, 1), word_for_word(tokens)),
        level("acronym", 0.02, 0.0006, either_crossed(column, f"{column}.acronym")),
        level("one is part of the other", 0.007, 0.15, words_agree(tokens, 4)),
        level("one says more", 0.007, 0.15, words_agree(tokens, 3)),
        level("words in conflict", 6e-8, 0.25, words_agree(tokens, 2)),
        level("few words shared", 5e-9, 0.15, words_agree(tokens, 1)),
        needs=column,
        otherwise="another name",
    )


def ledger_code() -> Comparison:
    """The code of a segment of the ledger. Systems drop leading zeros, which count."""
    return compared(
        "code",
        "identifier",
        level("same", 0.84, 0.0004, same("code")),
        level("same but for leading zeros", 0.12, 0.00006, same("code.bare")),
        needs="code",
    )


def ledger_name(*, part_u: float, many_u: float, some_u: float) -> Comparison:
    """The short name of a segment of the ledger, by shared words; `..._u`: of the levels that chance meets more or less often."""
    tokens = "name.tokens"
    return compared(
        "name",
        "name",
        level("same", 0.675, 0.002, same("name")),
        level("same words", 0.15, 0.001, soft_jaccard(tokens, 0.85)),
        level("one is part of the other", 0.08, part_u, soft_contains(tokens, 0.95)),
        level("many words shared", 0.045, many_u, soft_jaccard(tokens, 0.5)),
        level("half the words shared", 0.04, 0.04, soft_jaccard(tokens, 0.35)),
        level("some words shared", 0.0015, some_u, soft_jaccard(tokens, 0.25)),
        needs="name",
    )


def name_numbers(column: str) -> Comparison:
    """Numbers, unit codes and lone letters of a name are identity: floor 3 is not floor 4, Part A is not Part B."""
    return same_or_not("numbers in the name", f"{column}.numbers", "name", m=0.9999, u=0.4)


def opposite_sides(column: str) -> tuple[Veto, ...]:
    """Northside is not Southside, Upper Valley not Lower Valley, however alike they are spelt and whatever they share."""
    return (
        Veto(f"north and south in the {column}", conflict=(f"{column}.north_south",)),
        Veto(f"east and west in the {column}", conflict=(f"{column}.east_west",)),
        Veto(f"opposite sides in the {column}", conflict=(f"{column}.sides",)),
    )
