"""The JSON of a long translation, most of which the database has already written.

Ten thousand answers made as objects and then dumped cost as much as finding them, most of it in the garbage collector. Here the plain ones,
nearly all, are only put in order; the others are answered as everywhere. tests/crosswalk/test_hot.py proves that the bytes are those of
`api.crosswalk.translation`.
"""

from collections.abc import Iterable, Sequence

from mdm.crosswalk import Rows, miss_of
from mdm.jsonio import dumps, loads
from mdm.misswork import Miss
from mdm.question import Cells, Plan, RawCells
from mdm.systems import GOLDEN

_AFTER_VALUE = '","outcome":"found","golden_id":"'
_BEGIN, _END = b'{"value":"', b'","valid_from":null,"valid_to":null}],"flags":{}}'
_BODY_BEGIN, _BODY_END = b'{"results":[', b"]}"
_CONTROL = bytes(range(32))


def fits(planned: Plan) -> bool:
    """Whether `IN_PIECES` can answer the plan."""
    return planned.source != GOLDEN and len(planned.targets) == 1 and GOLDEN not in planned.targets


def piece_parameters(planned: Plan) -> tuple[str, ...]:
    """The parameters of `IN_PIECES`: the plan's own, and what stands between the value, the golden id and the target of an answer."""
    return (*planned.parameters, _AFTER_VALUE, _before_target(planned))


def _before_target(planned: Plan) -> str:
    return f'","targets":[{{"system":"{planned.targets[0]}","value":"'


def translation_json(planned: Plan, pieces: Iterable[RawCells]) -> tuple[bytes, list[Miss]] | None:
    """`{"results": [...]}` in the order of the values, and what was asked in vain.

    None when a value has several rows, some of them plain, or a text needs escaping: then every row must be looked at.
    """
    asked: list[bytes] = []
    quotes = (_AFTER_VALUE + _before_target(planned)).count('"')
    plain: dict[bytes, bytes] = {}
    others: list[Cells] = []
    found, literal = 0, True
    for text, rest in pieces:  # to the end in any case, for the line is used again
        answers = text.split(b"\n") if text is not None else []
        plain |= {answer.partition(b'"')[0]: answer for answer in answers}
        others += loads(rest or b"[]")
        found += len(answers)
        asked = asked or _asked(planned)  # now, while the database looks for the next piece
        literal = literal and (text is None or _is_literal(text, len(answers), quotes))
    rows = Rows(planned, others)
    if not literal or len(plain) < found or any(key is not None and key.encode() in plain for key in rows.by_key):
        return None
    try:
        answers = [plain[key] for key in asked]
    except KeyError:  # one of them has no plain row
        answers = []
    if answers:
        return _joined(answers), []
    missed: list[Miss] = []
    parts = [_one(planned, rows, plain, index, missed) for index in range(len(planned.keys))]
    return _BODY_BEGIN + b",".join(parts) + _BODY_END, missed


def _asked(planned: Plan) -> list[bytes]:
    """The keys as the database writes them; none unless there are several and every value is its own key."""
    if len(planned.keys) < 2 or planned.keys != planned.question.values:
        return []
    keys = "\n".join(planned.question.values).encode().split(b"\n")
    return keys if len(keys) == len(planned.keys) else []


def _joined(answers: Sequence[bytes]) -> bytes:
    """All of it made at once: each copy of a text of two megabytes costs as much as a tenth of the searching."""
    first, last = _BODY_BEGIN + _BEGIN + answers[0], answers[-1] + _END + _BODY_END
    return (_END + b"," + _BEGIN).join([first, *answers[1:-1], last])


def _is_literal(text: bytes, lines: int, quotes: int) -> bool:
    """Whether nothing in the text needs escaping: no quotes but ours, so many a line, no backslashes, nor controls but line breaks."""
    return text.count(b'"') == quotes * lines and b"\\" not in text and len(text.translate(None, _CONTROL)) == len(text) - (lines - 1)


def _one(planned: Plan, rows: Rows, plain: dict[bytes, bytes], index: int, missed: list[Miss]) -> bytes:
    value, key = planned.question.values[index], planned.keys[index]
    known = key.encode() if key is not None else b""
    if known in plain:
        return b'{"value":' + dumps(value)[:-1] + plain[known][len(known) :] + _END
    answer = rows.answer(index)
    miss = miss_of(planned, key, answer)
    if miss is not None:
        missed.append(miss)
    return dumps({"value": value, **answer})
