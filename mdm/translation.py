"""The JSON of a long translation, most of which the database has already written.

Ten thousand answers made as objects and then dumped cost as much as finding them, most of it in the garbage collector. Here the plain ones,
nearly all, are only put in order; the others are answered as everywhere. tests/crosswalk/test_hot.py proves that the bytes are those of
`api.crosswalk.translation`.
"""

from collections.abc import Iterable, Sequence
from operator import itemgetter

from mdm.crosswalk import Rows, miss_of
from mdm.jsonio import dumps, loads
from mdm.misswork import Miss
from mdm.question import Cells, Plan
from mdm.systems import GOLDEN

_BEGIN = '{"value":"'
_AFTER_VALUE = '","outcome":"found","golden_id":"'
_END = '","valid_from":null,"valid_to":null}],"flags":{}}'
_BODY_BEGIN, _BODY_END = '{"results":[', "]}"
_CONTROL = bytes(range(32))


def fits(planned: Plan) -> bool:
    """Whether `IN_PIECES` can answer the plan."""
    return planned.source != GOLDEN and len(planned.targets) == 1 and GOLDEN not in planned.targets


def piece_parameters(planned: Plan) -> tuple[str, ...]:
    """The parameters of `IN_PIECES`: the plan's own, and what stands between the value, the golden id and the target of an answer."""
    return (*planned.parameters, _AFTER_VALUE, _before_target(planned))


def _before_target(planned: Plan) -> str:
    return f'","targets":[{{"system":"{planned.targets[0]}","value":"'


def translation_json(planned: Plan, pieces: Iterable[Cells]) -> tuple[bytes, list[Miss]] | None:
    """`{"results": [...]}` in the order of the values, and what was asked in vain.

    None when a value has several rows, some of them plain, or a text needs escaping: then every row must be looked at.
    """
    quotes = (_AFTER_VALUE + _before_target(planned)).count('"')
    plain: dict[str, str] = {}
    others: list[Cells] = []
    found, literal = 0, True
    for text, rest in pieces:  # to the end in any case, for the line is used again
        answers = text.split("\n") if text is not None else []
        plain |= {answer.partition('"')[0]: answer for answer in answers}
        others += loads(rest or "[]")
        found += len(answers)
        literal = literal and _is_literal("".join(answers).encode(), quotes * len(answers))
    rows = Rows(planned, others)
    if not literal or len(plain) < found or not plain.keys().isdisjoint(rows.by_key):
        return None
    missed: list[Miss] = []
    try:
        body = _joined(_all_plain(planned, plain))
    except KeyError:
        body = _BODY_BEGIN + ",".join([_one(planned, rows, plain, index, missed) for index in range(len(planned.keys))]) + _BODY_END
    return body.encode(), missed


def _all_plain(planned: Plan, plain: dict[str, str]) -> tuple[str, ...]:
    """The usual case, at a stroke: raises KeyError unless every value is its own key and has a plain row."""
    if len(planned.keys) < 2 or planned.keys != planned.question.values:
        raise KeyError
    answers: tuple[str, ...] = itemgetter(*planned.keys)(plain)
    return answers


def _joined(answers: Sequence[str]) -> str:
    """All of it made at once: each copy of a text of two megabytes costs as much as a tenth of the searching."""
    first, last = _BODY_BEGIN + _BEGIN + answers[0], answers[-1] + _END + _BODY_END
    return (_END + "," + _BEGIN).join([first, *answers[1:-1], last])


def _is_literal(texts: bytes, quotes: int) -> bool:
    """Whether nothing in the texts would need escaping: no quotes but ours, no backslashes, no control characters."""
    return texts.count(b'"') == quotes and b"\\" not in texts and len(texts.translate(None, _CONTROL)) == len(texts)


def _one(planned: Plan, rows: Rows, plain: dict[str, str], index: int, missed: list[Miss]) -> str:
    value, key = planned.question.values[index], planned.keys[index]
    if key is not None and key in plain:
        return '{"value":' + dumps(value).decode()[:-1] + plain[key][len(key) :] + _END
    answer = rows.answer(index)
    miss = miss_of(planned, key, answer)
    if miss is not None:
        missed.append(miss)
    return dumps({"value": value, **answer}).decode()
