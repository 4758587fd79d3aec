"""A model as Splink settings: every test of a level as DuckDB SQL over the columns `x_l` and `x_r`.

Splink answers which level each comparison of a pair meets; levels are numbered, first declared = 0. What a level is worth, which levels
count nothing beside others, rarity, caps and vetoes are sums over those numbers (`matching.bulk`), so that one pass serves training and
scoring.
Measures that SQL has no honest form for are called by name: `matching.bulk` registers the very function of the online scorer.
"""

from collections.abc import Callable, Iterable, Sequence
from math import ceil, log2
from typing import Any

from matching.compare import ROUNDING
from matching.model import Comparison, Level, Model, Test, Veto
from matching.table import Layout, field

# Exchanged letters are what the slow measure adds to the fast one. They are two edits of that, and leave the length, the letters and
# most places alike; texts of one length that are one edit apart differ in one place, or in the two of an exchange.
_EDITS = (
    "(case when abs(length({l}) - length({r})) > {n} then false"
    " when case when strlen({l}) = strlen({r}) then hamming({l}, {r}) <= {n} end then true"
    " when case when strlen({l}) = strlen({r}) and {n} = 1 then hamming({l}, {r}) > 2 end then false"
    " when levenshtein({l}, {r}) <= {n} then true"
    " when case when strlen({l}) <> strlen({r}) or {n} > 2 then levenshtein({l}, {r}) > 2 * {n} - abs(length({l}) - length({r}))"
    " when hamming({l}, {r}) = 2 * {n} then jaccard({l}, {r}) < 1 else hamming({l}, {r}) > 2 * {n} end then false"
    " else damerau_levenshtein({l}, {r}) <= {n} end)"
)
_ANY_PAIR = "len(list_filter({l}, lambda x: len(list_filter({r}, lambda y: {test})) > 0)) > 0"
# Over two texts; a value is never empty, so the length of a prefix is enough to ask for.
_ON_TEXTS = {
    "exact": "{l} = {r}",
    # Told what it has to reach, the measure gives up early; a little less, lest rounding decides.
    "jaro_winkler": "jaro_winkler_similarity({l}, {r}, {t!r} - 1e-6) + " + repr(ROUNDING) + " >= {t!r}",
    "edits": _EDITS,
    "slip": "(case when right({l}, 1) = right({r}, 1) then " + _EDITS + " else false end)",
    "initial": "((length({l}) = 1 and starts_with({r}, {l})) or (length({r}) = 1 and starts_with({l}, {r})))",
    "month_day_swap": "(length({l}) = 8 and length({r}) = 8 and {l} = left({r}, 4) || substr({r}, 7, 2) || substr({r}, 5, 2))",
    "common_prefix": "(length({l}) >= {n} and left({l}, {n}) = left({r}, {n}))",
    "substring": "((length({l}) >= 4 and contains({r}, {l})) or (length({r}) >= 4 and contains({l}, {r})))",
    "ratio": (
        "(least(try_cast({l} as double), try_cast({r} as double)) > 0 and"
        " least(try_cast({l} as double), try_cast({r} as double)) / greatest(try_cast({l} as double), try_cast({r} as double)) >= {t!r})"
    ),
}
_SHARED = "len(list_intersect({l}, {r}))"
_ON_LISTS = {
    "shared": _SHARED + " >= {n}",
    "jaccard": _SHARED + " / (len(list_distinct({l})) + len(list_distinct({r})) - " + _SHARED + ") >= {t!r}",
    "containment": _SHARED + " / least(len(list_distinct({l})), len(list_distinct({r}))) >= {t!r}",
}
Asked = Callable[[Comparison, Level], Sequence[Test]]
_FROM_LEVEL = 1  # the number that Splink answers for the first level; 0 says that there is no evidence
_BETWEEN_VALUES = "\x1f"
VETO_WEIGHT = -900.0  # no agreement outweighs it; Splink takes no share below 1e-300


def function(test: Test) -> str:
    """The name under which the online scorer's measure is registered."""
    return "__".join(("concord", test.measure, *(field(column) for column in test.columns), "both" if test.both else "either"))


def is_native(test: Test) -> bool:
    return test.measure in _ON_TEXTS or test.measure in _ON_LISTS


def _every_test(_: Comparison, level: Level) -> Sequence[Test]:
    return level.any_of


def levels_settings(model: Model, layout: Layout, asked: Asked = _every_test) -> dict[str, Any]:
    """Splink settings whose match weight per comparison *is* the number of the level met plus one, 0 without evidence.

    Comparisons are named c0, c1 ... in the model's order, vetoes v0, v1 ... (2 where the veto holds, 1 where not). Of a level only those
    tests are `asked`.
    """
    comparisons = [
        _comparison(f"c{place}", _absent(comparison, layout), _conditions(comparison, layout, asked), _numbers(len(comparison.levels)))
        for place, comparison in enumerate(model.comparisons)
    ]
    comparisons += [_comparison(f"v{place}", "false", [_veto(veto, layout), "ELSE"], [2.0, 1.0]) for place, veto in enumerate(model.vetoes)]
    return _settings(comparisons, 0.5)


def plain_settings(model: Model, layout: Layout) -> dict[str, Any]:
    """The whole model for Splink alone, weights, rarity and vetoes in it: what a user of Splink would run and benchmarks compare with.

    `unless` stands in the condition for "no evidence". The cap for a single group of evidence has no form here.
    """
    comparisons = [_whole(f"c{place}", comparison, model, layout) for place, comparison in enumerate(model.comparisons)]
    comparisons += [
        _comparison(f"v{place}", "false", [_veto(veto, layout), "ELSE"], [VETO_WEIGHT, 0.0]) for place, veto in enumerate(model.vetoes)
    ]
    return _settings(comparisons, 1 / (1 + 2**-model.prior))


def _settings(comparisons: list[dict[str, Any]], prior: float) -> dict[str, Any]:
    return {
        "link_type": "dedupe_only",
        "unique_id_column_name": "n",
        "probability_two_random_records_match": prior,
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": True,
        "comparisons": comparisons,
        "blocking_rules_to_generate_predictions": [{"blocking_rule": "false", "sql_dialect": "duckdb"}],  # it is given its pairs
    }


def _numbers(count: int) -> list[float]:
    return [float(number + _FROM_LEVEL) for number in range(count)]


def _comparison(name: str, absent: str, conditions: Sequence[str], weights: Sequence[float]) -> dict[str, Any]:
    steps = [
        {"sql_condition": condition, "label_for_charts": f"{name} {number}", **_shares(weight)}
        for number, (condition, weight) in enumerate(zip(conditions, weights, strict=True))
    ]
    return {"output_column_name": name, "comparison_levels": [_null(absent), *steps]}


def _null(absent: str) -> dict[str, Any]:
    return {"sql_condition": absent, "label_for_charts": "no evidence", "is_null_level": True}


def _shares(weight: float) -> dict[str, float]:
    """Shares m and u that give a weight; Splink uses nothing but their quotient."""
    return {"m_probability": min(1.0, 2**weight), "u_probability": min(1.0, 2**-weight)}


def _whole(name: str, comparison: Comparison, model: Model, layout: Layout) -> dict[str, Any]:
    absent = _absent(comparison, layout)
    if comparison.unless is not None:
        absent = f"{absent} or {_is_silenced(comparison, lambda level: _met(model, level, layout))}"
    steps = []
    for level, condition in zip(comparison.levels, _conditions(comparison, layout), strict=True):
        step = {"sql_condition": condition, "label_for_charts": level.label, "m_probability": level.m, "u_probability": level.u}
        if level.frequency is not None and level.frequency in model.frequencies:
            step |= {"tf_adjustment_column": field(level.frequency), "tf_adjustment_weight": 1.0, "disable_tf_exact_match_detection": True}
        steps.append(step)
    return {"output_column_name": name, "comparison_levels": [_null(absent), *steps]}


def _met(model: Model, unless: tuple[str, str], layout: Layout) -> str:
    """SQL: another comparison speaks, and meets a certain level."""
    other = next(c for c in model.comparisons if c.name == unless[0])
    number = _number(other, unless[1])
    conditions = _conditions(other, layout)
    own = "true" if conditions[number] == "ELSE" else f"coalesce({conditions[number]}, false)"
    earlier = [f"not coalesce({condition}, false)" for condition in conditions[:number]]
    awake = [f"not ({_is_silenced(other, lambda level: _met(model, level, layout))})"]
    return "(" + " and ".join([f"not ({_absent(other, layout)})", *awake, *earlier, own]) + ")"


def _absent(comparison: Comparison, layout: Layout) -> str:
    if not set(comparison.needs) <= layout.columns:
        return "true"
    columns = [signature(column) if column in layout.packed else column for column in comparison.needs]
    return " or ".join(f"{_side(column, side)} is null" for column in columns for side in "lr")


def _conditions(comparison: Comparison, layout: Layout, asked: Asked = _every_test) -> list[str]:
    return [_any_of(asked(comparison, level), layout) if level.any_of else "ELSE" for level in comparison.levels]


def _any_of(any_of: Sequence[Test], layout: Layout) -> str:
    tests = [f"({_test(test, layout)})" for test in any_of]
    # DuckDB asks all of an `or` and of an `and`, but of a `case` only as many as it takes.
    if len(tests) < 2:
        return tests[0] if tests else "false"
    return f"(case {' '.join(f'when {test} then true' for test in tests)} else false end)"


def _test(test: Test, layout: Layout) -> str:
    if not set(test.columns) <= layout.columns:
        return "false"
    if not is_native(test):
        return f'{function(test)}("n_l", "n_r") >= {test.at_least!r}'
    if len(test.columns) == 1:
        return _between(test, test.columns[0], test.columns[0], layout)
    first, second = test.columns
    one, other = _between(test, first, second, layout), _between(test, second, first, layout)
    return _all_of([one, other]) if test.both else f"({one}) or ({other})"


def _all_of(conditions: Sequence[str]) -> str:
    """One after the other, as far as it takes; NULL where one before the last does not hold."""
    first, *others = conditions
    return f"(case when {first} then {_all_of(others)} end)" if others else first


def _between(test: Test, left: str, right: str, layout: Layout) -> str:
    """The test from a column of the left side to one of the right side; NULL or false where a side is absent."""
    values = {"t": test.at_least, "n": ceil(abs(test.at_least))}
    if test.measure in _ON_LISTS and not {left, right} & layout.lists:
        return f"{_side(left, 'l')} = {_side(right, 'r')}" if test.at_least <= 1 else "false"  # of one value each, all or nothing is shared
    if test.measure == "shared" and test.at_least <= 1:
        return _any_shared(left, right, layout)
    if test.measure in _ON_LISTS:
        return _ON_LISTS[test.measure].format(l=_listed(left, "l", layout), r=_listed(right, "r", layout), **values)
    # Any likeness will do where both sides are known
    form = "({l} = {r}) is not null" if test.measure == "jaro_winkler" and test.at_least <= 0 else _ON_TEXTS[test.measure]
    if left not in layout.lists and right not in layout.lists:
        return form.format(l=_side(left, "l"), r=_side(right, "r"), **values)
    if test.measure == "exact":
        return _any_shared(left, right, layout)
    one, other = _listed(left, "l", layout), _listed(right, "r", layout)
    return _ANY_PAIR.format(l=one, r=other, test=form.format(l="x", r="y", **values))


def _any_shared(left: str, right: str, layout: Layout) -> str:
    """A value in common; NULL where a side is absent."""
    if left != right or left not in layout.packed:
        return f"list_has_any({_listed(left, 'l', layout)}, {_listed(right, 'r', layout)})"
    bits = " & ".join(_side(signature(left), side) for side in "lr")
    values = ", ".join(f"string_split({_side(packed(left), side)}, '{_BETWEEN_VALUES}')" for side in "lr")
    return f"(case when ({bits}) = 0 then false else list_has_any({values}) end)"


def packed(column: str) -> str:
    """The name of a list as one text; see `packed_sql`."""
    return f"{column}.packed"


def signature(column: str) -> str:
    """The name of a list's signature; see `packed_sql`."""
    return f"{column}.signature"


def packed_sql(column: str) -> str:
    """SQL: a list as one text, and as a number with a bit for each value.

    Two lists without a bit in common have no value in common. A join carries texts and numbers many times faster than lists.
    """
    name = field(column)
    bits = f"""list_aggregate(list_transform("{name}", lambda value: 1::ubigint << (hash(value) % 64)), 'bit_or')"""
    return f"""array_to_string("{name}", '{_BETWEEN_VALUES}') as "{field(packed(column))}", {bits} as "{field(signature(column))}\""""


def _veto(veto: Veto, layout: Layout) -> str:
    if not {*veto.conflict, *veto.agree} <= layout.columns:
        return "false"
    forms = [(veto.agree, "{same}"), (veto.conflict, "not {same}"), (veto.lifted_by, "not coalesce({same}, false)")]
    named = [(column, form) for columns, form in forms for column in columns if column in layout.columns]
    # Few pairs agree, and texts are compared faster than lists
    in_turn = sorted(named, key=lambda each: each[0] in layout.lists)
    texts = [form.format(same=f"({_between(Test('exact', (c,), 1.0), c, c, layout)})") for c, form in in_turn]
    return _all_of([*texts, *(f"not coalesce({_test(test, layout)}, false)" for test in veto.lifted_where)])


def _side(column: str, side: str) -> str:
    return f'"{field(column)}_{side}"'


def _listed(column: str, side: str, layout: Layout) -> str:
    """The column as a list, NULL where absent."""
    place = _side(column, side)
    return place if column in layout.lists else f"(case when {place} is not null then [{place}] end)"


def weight_sql(model: Model) -> str:
    """SQL: the total in bits over the level numbers c0, c1 ... (-1: no evidence) and the shares of rarity columns, cap included."""
    total = " + ".join([real(model.prior), *(_weight(place, comparison, model) for place, comparison in enumerate(model.comparisons))])
    if model.groups_needed == 0 and not model.groups_required and model.wants_backing is None:
        return total
    link = model.thresholds.link
    return f"case when {total} >= {link!r} and ({_is_one_sided(model)}) then {link - 0.01!r} else {total} end"


def _weight(place: int, comparison: Comparison, model: Model) -> str:
    steps = " ".join(f"when {number} then {bits_sql(level, model)}" for number, level in enumerate(comparison.levels))
    return f"(case c{place} {steps} else 0.0 end)"


def bits_sql(level: Level, model: Model) -> str:
    """SQL: what a level counts, by the shares of a rarity column where it has one."""
    if level.frequency is None or level.frequency not in model.frequencies:
        return real(level.weight)
    share = f'greatest(l."{field(level.frequency)}", r."{field(level.frequency)}")'
    return f"({real(level.weight + log2(level.u))} - log2({share}))"


def real(value: float) -> str:
    """SQL: bits. Without a type DuckDB takes digits for a decimal, and adds up numbers of 128 bits."""
    return f"{value!r}::double"


def _is_one_sided(model: Model) -> str:
    """SQL: too few groups of evidence speak for the same entity, or none of those that the model asks for."""
    places: dict[str, list[int]] = {}
    for place, comparison in enumerate(model.comparisons):
        places.setdefault(comparison.group, []).append(place)
    known = [" or ".join(f"c{place} >= 0" for place in group) for group in places.values()]
    speaks = {
        name: " + ".join(_weight(place, model.comparisons[place], model) for place in group) + " > 0" for name, group in places.items()
    }
    needed = model.groups_needed
    reasons = [f"{_count(known)} >= {needed} and {_count(list(speaks.values()))} < {needed}"] if needed else []
    if model.groups_required:
        reasons.append(_none(speaks[name] for name in model.groups_required))
    if (backing := model.wants_backing) is not None:
        place, comparison = next((n, c) for n, c in enumerate(model.comparisons) if c.name == backing.met[0])
        met = f"c{place} = {_number(comparison, backing.met[1])}"
        reasons.append(_none([met, *(speaks[name] for name in backing.groups if name in speaks)]))
    return " or ".join(f"({reason})" for reason in reasons)


def _none(conditions: Iterable[str]) -> str:
    return "not (" + " or ".join(f"({condition})" for condition in conditions) + ")"


def _count(conditions: list[str]) -> str:
    return "(" + " + ".join(f"({condition})::int" for condition in conditions) + ")"


def level_columns(model: Model) -> list[str]:
    """SQL: c0, c1 ... as small numbers from Splink's answer, -1 where there is no evidence or another comparison has spoken for it."""
    columns = []
    for place, comparison in enumerate(model.comparisons):
        met = level_sql(place)
        if comparison.unless is not None:
            met = f"case when {silenced_sql(model, comparison)} then -1 else {met} end"
        columns.append(f"({met})::tinyint as c{place}")
    return columns


def level_sql(place: int) -> str:
    """SQL: the number of the level that a comparison meets, -1 where there is no evidence."""
    return f"(mw_c{place}::tinyint - {_FROM_LEVEL})"  # a cast rounds


def silenced_sql(model: Model, comparison: Comparison) -> str:
    """SQL: another comparison has spoken for this one, as far as Splink's answer goes."""
    return _is_silenced(comparison, lambda level: _is_met(model, level))


def _is_silenced(comparison: Comparison, is_met: Callable[[tuple[str, str]], str]) -> str:
    """SQL: the level that silences a comparison was met, and one of those asked for along with it."""
    groups = [levels for levels in ((comparison.unless,) if comparison.unless else (), comparison.along_with) if levels]
    return " and ".join("(" + " or ".join(is_met(level) for level in levels) + ")" for levels in groups) or "false"


def _is_met(model: Model, unless: tuple[str, str]) -> str:
    """SQL: the comparison meets the level, and was not itself told to be silent."""
    place, other = next((i, c) for i, c in enumerate(model.comparisons) if c.name == unless[0])
    met = f"{level_sql(place)} = {_number(other, unless[1])}"
    return f"({met} and not ({_is_silenced(other, lambda level: _is_met(model, level))}))"


def _number(comparison: Comparison, label: str) -> int:
    return next(i for i, level in enumerate(comparison.levels) if level.label == label)


def vetoed_sql(model: Model) -> str:
    return " or ".join(f"mw_v{place} > {_FROM_LEVEL + 0.5}" for place in range(len(model.vetoes))) or "false"
