"""The JSON of a long translation, most of which the database has already written.

Ten thousand answers made as objects and then dumped cost as much as finding them, most of it in the garbage collector. Here the plain ones,
nearly all, are only put in order; the others are answered as everywhere. tests/crosswalk/test_hot.py proves that the bytes are those of
`api.crosswalk.translation`.
"""

from collections.abc import Sequence

from psycopg.pq.abc import PGresult

from mdm.crosswalk import Outcome, Rows
from mdm.jsonio import dumps
from mdm.question import Plan
from mdm.systems import GOLDEN

_BEGIN = ',"outcome":"found","golden_id":"'
_END = ',"valid_from":null,"valid_to":null}],"flags":{}}'
_UNKNOWN = Outcome.UNKNOWN_VALUE.value


def fits(planned: Plan) -> bool:
    """Whether `IN_COLUMNS` can answer the plan."""
    return planned.source != GOLDEN and len(planned.targets) == 1 and GOLDEN not in planned.targets


def column_parameters(planned: Plan) -> tuple[str, ...]:
    """The parameters of `IN_COLUMNS`: the plan's own, and what stands before and between the values of an answer."""
    return (*planned.parameters, _BEGIN, f'","targets":[{{"system":"{planned.targets[0]}","value":')


def translation_json(planned: Plan, result: PGresult) -> tuple[bytes, list[str]] | None:
    """`{"results": [...]}` in the order of the values, and the normal forms that nobody knows.

    None when a value has several rows, some of them plain, or holds a line end: then all rows must be seen.
    """
    keys, middles = _lines(result, 0), _lines(result, 1)
    rows = Rows(planned, result, begin=1)
    plain = dict(zip(keys, middles, strict=False))
    if not len(plain) == len(keys) == len(middles) or any((key or b"").decode() in plain for key in rows.numbers):
        return None
    missed: list[str] = []
    parts: list[str] = []
    for index, (text, key) in enumerate(zip(_quoted(planned.question.values), planned.keys, strict=True)):
        middle = plain.get(key) if key is not None else None
        parts.append(f'{{"value":{text}{middle}{_END}' if middle is not None else _special(planned, rows, index, missed))
    return ('{"results":[' + ",".join(parts) + "]}").encode(), missed


def _lines(result: PGresult, column: int) -> list[str]:
    text = result.get_value(0, column)
    return [] if text is None else text.decode().split("\n")


def _quoted(values: Sequence[str]) -> list[str]:
    """The values as JSON, which mostly means just quoted."""
    joined = "".join(values)
    if joined.isprintable() and '"' not in joined and "\\" not in joined:
        return [f'"{value}"' for value in values]
    return [dumps(value).decode() for value in values]


def _special(planned: Plan, rows: Rows, index: int, missed: list[str]) -> str:
    answer = rows.answer(index)
    key = planned.keys[index]
    if answer["outcome"] == _UNKNOWN and key is not None:
        missed.append(key)
    return dumps({"value": planned.question.values[index], **answer}).decode()
