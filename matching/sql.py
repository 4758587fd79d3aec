"""A model as Splink settings: every test of a level as DuckDB SQL over the columns `x_l` and `x_r`.

Splink answers which level each comparison of a pair meets; levels are numbered, first declared = 0. What a level is worth, which levels
count nothing beside others, rarity, caps and vetoes are sums over those numbers (`matching.bulk`), so that one pass serves training and
scoring.
Measures that SQL has no honest form for are called by name: `matching.bulk` registers the very function of the online scorer.
"""

from collections.abc import Callable, Sequence
from math import ceil, log2
from typing import Any

from matching.model import Comparison, Level, Model, Test, Veto
from matching.table import Layout, field

_ANY_PAIR = "len(list_filter({l}, lambda x: len(list_filter({r}, lambda y: {test})) > 0)) > 0"
# Over two texts; a value is never empty, so the length of a prefix is enough to ask for.
_ON_TEXTS = {
    "exact": "{l} = {r}",
    "jaro_winkler": "jaro_winkler_similarity({l}, {r}) >= {t!r}",
    # Exchanged letters are what the slow measure adds to the fast one, and few of them leave the places and the letters alike.
    "edits": (
        "(case when abs(length({l}) - length({r})) > {n} then false when levenshtein({l}, {r}) <= {n} then true"
        " when case when strlen({l}) <> strlen({r}) or {n} > 2 then levenshtein({l}, {r}) > 2 * {n}"
        " when hamming({l}, {r}) = 2 * {n} then jaccard({l}, {r}) < 1 else hamming({l}, {r}) > 2 * {n} end then false"
        " else damerau_levenshtein({l}, {r}) <= {n} end)"
    ),
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
_FROM_LEVEL = 1  # the number that Splink answers for the first level; 0 says that there is no evidence
VETO_WEIGHT = -900.0  # no agreement outweighs it; Splink takes no share below 1e-300


def function(test: Test) -> str:
    """The name under which the online scorer's measure is registered."""
    return "__".join(("concord", test.measure, *(field(column) for column in test.columns), "both" if test.both else "either"))


def is_native(test: Test) -> bool:
    return test.measure in _ON_TEXTS or test.measure in _ON_LISTS


def levels_settings(model: Model, layout: Layout) -> dict[str, Any]:
    """Splink settings whose match weight per comparison *is* the number of the level met plus one, 0 without evidence.

    Comparisons are named c0, c1 ... in the model's order, vetoes v0, v1 ... (2 where the veto holds, 1 where not).
    """
    comparisons = [
        _comparison(f"c{place}", _absent(comparison, layout), _conditions(comparison, layout), _numbers(len(comparison.levels)))
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
        "blocking_rules_to_generate_predictions": [],
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
    return " or ".join(f"{_side(column, side)} is null" for column in comparison.needs for side in "lr")


def _conditions(comparison: Comparison, layout: Layout) -> list[str]:
    return [_condition(level, layout) for level in comparison.levels]


def _condition(level: Level, layout: Layout) -> str:
    if not level.any_of:
        return "ELSE"
    tests = [f"({_test(test, layout)})" for test in level.any_of]
    # DuckDB asks all of an `or`, but of a `case` only as many as it takes.
    return tests[0] if len(tests) == 1 else f"(case {' '.join(f'when {test} then true' for test in tests)} else false end)"


def _test(test: Test, layout: Layout) -> str:
    if not set(test.columns) <= layout.columns:
        return "false"
    if not is_native(test):
        return f'{function(test)}("n_l", "n_r") >= {test.at_least!r}'
    if len(test.columns) == 1:
        return _between(test, test.columns[0], test.columns[0], layout)
    first, second = test.columns
    one, other = _between(test, first, second, layout), _between(test, second, first, layout)
    return f"({one}) and ({other})" if test.both else f"({one}) or ({other})"


def _between(test: Test, left: str, right: str, layout: Layout) -> str:
    """The test from a column of the left side to one of the right side; NULL or false where a side is absent."""
    values = {"t": test.at_least, "n": ceil(abs(test.at_least))}
    if test.measure in _ON_LISTS and not {left, right} & layout.lists:
        return f"{_side(left, 'l')} = {_side(right, 'r')}" if test.at_least <= 1 else "false"  # of one value each, all or nothing is shared
    if test.measure in _ON_LISTS:
        return _ON_LISTS[test.measure].format(l=_listed(left, "l", layout), r=_listed(right, "r", layout), **values)
    form = _ON_TEXTS[test.measure]
    if left not in layout.lists and right not in layout.lists:
        return form.format(l=_side(left, "l"), r=_side(right, "r"), **values)
    one, other = _listed(left, "l", layout), _listed(right, "r", layout)
    if test.measure == "exact":
        return f"list_has_any({one}, {other})"
    return _ANY_PAIR.format(l=one, r=other, test=form.format(l="x", r="y", **values))


def _veto(veto: Veto, layout: Layout) -> str:
    if not {*veto.conflict, *veto.agree} <= layout.columns:
        return "false"
    conflict, agree, lifted_by = (
        [f"({_between(Test('exact', (column,), 1.0), column, column, layout)})" for column in columns if column in layout.columns]
        for columns in (veto.conflict, veto.agree, veto.lifted_by)
    )
    return " and ".join([*(f"not {same}" for same in conflict), *agree, *(f"not coalesce({same}, false)" for same in lifted_by)])


def _side(column: str, side: str) -> str:
    return f'"{field(column)}_{side}"'


def _listed(column: str, side: str, layout: Layout) -> str:
    """The column as a list, NULL where absent."""
    place = _side(column, side)
    return place if column in layout.lists else f"(case when {place} is not null then [{place}] end)"


def weight_sql(model: Model) -> str:
    """SQL: the total in bits over the level numbers c0, c1 ... (-1: no evidence) and the shares of rarity columns, cap included."""
    total = " + ".join([repr(model.prior), *(_weight(place, comparison, model) for place, comparison in enumerate(model.comparisons))])
    if model.groups_needed == 0 and not model.groups_required:
        return total
    link = model.thresholds.link
    return f"case when {total} >= {link!r} and ({_is_one_sided(model)}) then {link - 0.01!r} else {total} end"


def _weight(place: int, comparison: Comparison, model: Model) -> str:
    steps = " ".join(f"when {number} then {_bits(level, model)}" for number, level in enumerate(comparison.levels))
    return f"(case c{place} {steps} else 0.0 end)"


def _bits(level: Level, model: Model) -> str:
    if level.frequency is None or level.frequency not in model.frequencies:
        return repr(level.weight)
    share = f'greatest(l."{field(level.frequency)}", r."{field(level.frequency)}")'
    return f"({level.weight + log2(level.u)!r} - log2({share}))"


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
        reasons.append("not (" + " or ".join(f"({speaks[name]})" for name in model.groups_required) + ")")
    return " or ".join(f"({reason})" for reason in reasons)


def _count(conditions: list[str]) -> str:
    return "(" + " + ".join(f"({condition})::int" for condition in conditions) + ")"


def level_columns(model: Model) -> list[str]:
    """SQL: c0, c1 ... as small numbers from Splink's answer, -1 where there is no evidence or another comparison has spoken for it."""
    columns = []
    for place, comparison in enumerate(model.comparisons):
        met = f"round(mw_c{place})::tinyint - {_FROM_LEVEL}"
        if comparison.unless is not None:
            met = f"case when {_is_silenced(comparison, lambda level: _is_met(model, level))} then -1 else {met} end"
        columns.append(f"({met})::tinyint as c{place}")
    return columns


def _is_silenced(comparison: Comparison, is_met: Callable[[tuple[str, str]], str]) -> str:
    """SQL: the level that silences a comparison was met, and one of those asked for along with it."""
    groups = [levels for levels in ((comparison.unless,) if comparison.unless else (), comparison.along_with) if levels]
    return " and ".join("(" + " or ".join(is_met(level) for level in levels) + ")" for levels in groups) or "false"


def _is_met(model: Model, unless: tuple[str, str]) -> str:
    """SQL: the comparison meets the level, and was not itself told to be silent."""
    place, other = next((i, c) for i, c in enumerate(model.comparisons) if c.name == unless[0])
    met = f"round(mw_c{place}) = {_number(other, unless[1]) + _FROM_LEVEL}"
    return f"({met} and not ({_is_silenced(other, lambda level: _is_met(model, level))}))"


def _number(comparison: Comparison, label: str) -> int:
    return next(i for i, level in enumerate(comparison.levels) if level.label == label)


def vetoed_sql(model: Model) -> str:
    return " or ".join(f"mw_v{place} > {_FROM_LEVEL + 0.5}" for place in range(len(model.vetoes))) or "false"
