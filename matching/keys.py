"""Blocking keys as SQL: the same rules as `matching.blocking`, for a whole table at once. Only which records share a key matters."""

from matching.model import BlockingRule, KeyPart, Model
from matching.table import Layout, field


def keys_sql(model: Model, layout: Layout) -> str:
    """SQL: every key of every record as (key, n, rule by its place, most, together), none of rules over columns that no record has."""
    places = [place for place, rule in enumerate(model.blocking) if {part.column for part in rule.parts} <= layout.columns]
    made = [_rule_sql(place, model.blocking[place], layout) for place in places]
    return " union all ".join(made or ["select 0::ubigint as key, n, 0 as rule, 0 as most, 0 as together from record where false"])


def _rule_sql(place: int, rule: BlockingRule, layout: Layout) -> str:
    """SQL: the keys of one rule. Lists give one key per value; a record with an absent part has none."""
    lists = [i for i, part in enumerate(rule.parts) if part.column in layout.lists]
    source = "record" + "".join(f', unnest("{field(rule.parts[i].column)}") as u{i}(v{i})' for i in lists)
    pieces = [_piece(part, f"v{i}" if i in lists else f'"{field(part.column)}"') for i, part in enumerate(rule.parts)]
    texts = ", ".join(pieces)
    joined = f"list_sort([{texts}])" if rule.crossed else f"[{texts}]"
    known = " and ".join(f"{piece} <> ''" for piece in pieces)
    label = rule.name.replace("'", "''")
    return (
        f"select distinct hash('{label}', {joined}) as key, n, {place} as rule, {rule.holders_max} as most,"
        f" {rule.together_max} as together from {source} where {known}"
    )


def _piece(part: KeyPart, value: str) -> str:
    if part.start is None and part.stop is None:
        return value
    start, stop = part.start or 0, part.stop
    if start < 0:
        return f"right({value}, {-start})"
    return f"substr({value}, {start + 1}{'' if stop is None else f', {stop - start}'})"
