"""JSON in and out, once: orjson, strict, keys sorted where a hash depends on it."""

from typing import Any

import orjson


def dumps(value: object) -> bytes:
    return orjson.dumps(value)


def canonical(value: object) -> bytes:
    """The same bytes for the same content, whatever the order of keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def loads(data: str | bytes) -> Any:
    return orjson.loads(data)
