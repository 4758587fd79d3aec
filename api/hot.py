"""The requests that interfaces send all day, answered before Flask sees them: GET of one value, POST of one or many.

A fast path may only be faster. Whatever is unusual about a request (an odd header, a key that is not good, a scope by systems, a domain of
patients, anything to refuse, a database in trouble) goes to Flask untouched, and what is answered here is the same to the byte:
tests/crosswalk/test_hot.py sends thousands of requests both ways. Scope, plan and answers are the functions that the slow route calls.
"""

import itertools
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any, LiteralString

import orjson
import psycopg
from flask import Flask
from psycopg import generators, pq
from psycopg.pq.abc import PGconn, PGresult

from api.accesslog import AccessLog
from api.app import BODY_BYTES_MAX
from api.context import concord
from api.crosswalk import JSON_TYPE, LOOKUP_RULE, ON_MISS, Reply, entity_of, misses, reply, today, translation
from api.health import metrics
from api.schemas import TEXT_MAX
from mdm.access import Actor
from mdm.consult import check_scope, missed
from mdm.crosswalk import answers
from mdm.errors import ConcordError
from mdm.jsonio import dumps, loads
from mdm.misswork import Miss
from mdm.question import BY_GOLDEN_ID, BY_VALUE, IN_PIECES, TARGETS_MAX, VALUES_MAX, Cells, Plan, Question, RawCells, cells_of, plan
from mdm.standardise import KEY_LENGTH_MAX
from mdm.systems import SystemRegistry, registry
from mdm.translation import fits, piece_parameters, translation_json

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]
Write = Callable[[Plan, "Line"], tuple[Reply, list[Miss]]]  # the answer, and what was asked in vain

PREFIX = "/v1/crosswalk/"
_LOOKUP, _TRANSLATE = "/v1/crosswalk/lookup", "/v1/crosswalk/translate"
_BEARER = "Bearer "
_REGISTRY_SECONDS = 0.9
_KEY_SECONDS = 0.05  # on top of the keyring's own 0.9: a revoked key is dead within a second
_KEYS_MAX = 1_000
_HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
]
_USUAL_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_STATUS = {200: "200 OK", 404: "404 NOT FOUND"}
_STATEMENTS: Mapping[LiteralString, bytes] = {
    BY_VALUE: b"crosswalk_by_value",
    BY_GOLDEN_ID: b"crosswalk_by_golden_id",
    IN_PIECES: b"crosswalk_in_pieces",
}


class Unusual(Exception):
    """This request is for Flask."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was understood."""

    route: str
    domain: str
    source: str
    targets: tuple[str, ...]
    values: Sequence[str]
    as_of: date
    on_miss: str
    write: Write


class Hot:
    """A WSGI application in front of another. One per process; safe among threads, each of which has its own connection."""

    def __init__(self, app: Flask, behind: Wsgi) -> None:
        self._behind = behind
        with app.app_context():
            self._concord = concord()
            self._count = metrics().count
        self._misses = misses(app, self._concord.database)
        self._log = AccessLog(self._concord.settings.log_level)
        self._lines = threading.local()
        self._open: list[Line] = []
        self._registry: SystemRegistry | None = None
        self._keys: dict[str, tuple[float, Actor]] = {}
        self._ids = RequestIds()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith(PREFIX):
            return self._behind(environ, start_response)
        started = time.perf_counter()
        try:
            request_id = self._request_id(environ)
            actor = self._actor(environ)
            asked = _read(environ)
            made = self._answer(actor, asked)
        except (Unusual, ConcordError, psycopg.Error):
            return self._behind(environ, start_response)
        start_response(_STATUS[made.status], _headers(made, request_id))
        self._note(environ["REQUEST_METHOD"], asked.route, made.status, started, actor, request_id)
        return [made.body]

    def _note(self, method: str, route: str, status: int, started: float, actor: Actor, request_id: str) -> None:
        seconds = time.perf_counter() - started
        self._count(method, route, status, seconds)
        self._log.add(method=method, route=route, status=status, seconds=seconds, principal=actor.name, request_id=request_id)

    def _request_id(self, environ: Environ) -> str:
        given = environ.get("HTTP_X_REQUEST_ID")
        if given is None:
            return self._ids.next()
        if 8 <= len(given) <= 64 and given.isascii() and given.replace("-", "").isalnum():
            return str(given)
        raise Unusual

    def _actor(self, environ: Environ) -> Actor:
        header = environ.get("HTTP_AUTHORIZATION", "")
        known = self._keys.get(header)
        if known is not None and time.monotonic() - known[0] < _KEY_SECONDS:
            return known[1]
        actor = self._concord.keyring.authenticate(header[len(_BEARER) :]) if header.startswith(_BEARER) else None
        if actor is None or actor.systems is not None:
            raise Unusual
        if len(self._keys) >= _KEYS_MAX:
            self._keys.clear()
        self._keys[header] = time.monotonic(), actor
        return actor

    def _answer(self, actor: Actor, asked: Asked) -> Reply:
        entity = entity_of(self._concord.entities, asked.domain)
        if entity.phi:
            raise Unusual
        question = Question(entity, asked.source, asked.targets, asked.values, asked.as_of)
        systems = self._systems()
        check_scope(actor, systems, question)
        planned = plan(systems, question)
        if not isinstance(planned, Plan):
            raise Unusual
        made, unknown = asked.write(planned, self._line())
        if unknown and asked.on_miss == ON_MISS[0]:
            self._misses.count(unknown, actor.name, planned.targets)
        return made

    def _systems(self) -> SystemRegistry:
        known = self._registry
        if known is None or time.monotonic() - known.read_at > _REGISTRY_SECONDS:
            known = self._registry = self._concord.database.run(registry)
        return known

    def _line(self) -> "Line":
        line: Line | None = getattr(self._lines, "line", None)
        if line is None or line.is_broken:
            line = self._lines.line = Line(self._concord.database.url)
            self._open = [known for known in self._open if not known.is_broken] + [line]
        return line

    def close(self) -> None:
        """Hang up every line; one that is needed again is made again."""
        while self._open:
            self._open.pop().close()


class Line:
    """One thread's connection, with the statements prepared: libpq itself, because psycopg's cursor would cost as much as the server."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True, connect_timeout=3, client_encoding="utf8")
        self._pgconn: PGconn = self._connection.pgconn
        self.is_broken = False
        for statement, name in _STATEMENTS.items():
            self._checked(self._pgconn.prepare(name, statement.encode()), pq.ExecStatus.COMMAND_OK)

    def ask(self, statement: LiteralString, parameters: Sequence[str]) -> list[Cells]:
        """The rows; raises psycopg.Error, after which the line is broken."""
        try:
            result = self._pgconn.exec_prepared(_STATEMENTS[statement], [parameter.encode() for parameter in parameters])
            return cells_of(self._checked(result, pq.ExecStatus.TUPLES_OK))
        except psycopg.Error:
            self.close()
            raise

    def each(self, statement: LiteralString, parameters: Sequence[str]) -> Iterator[RawCells]:
        """The rows as they come, while the database looks for the next; an error breaks the line, and so do rows left unread."""
        complete = False
        try:
            self._pgconn.send_query_prepared(_STATEMENTS[statement], [parameter.encode() for parameter in parameters])
            self._pgconn.set_single_row_mode()
            self._connection.wait(generators.send(self._pgconn))
            while (result := self._connection.wait(generators.fetch(self._pgconn))) is not None:
                if result.status == pq.ExecStatus.SINGLE_TUPLE:
                    yield [result.get_value(0, column) for column in range(result.nfields)]
                else:
                    self._checked(result, pq.ExecStatus.TUPLES_OK)
            complete = True
        finally:
            if not complete:
                self.close()

    def close(self) -> None:
        self.is_broken = True
        self._connection.close()

    @staticmethod
    def _checked(result: PGresult, wanted: pq.ExecStatus) -> PGresult:
        if result.status != wanted:
            raise psycopg.OperationalError("the hot statement failed")
        return result


class RequestIds:
    """Ids of requests: one random half per process, one counted half. Far cheaper than asking the kernel for each."""

    def __init__(self) -> None:
        self._half = ""
        self._numbers = itertools.count()

    def next(self) -> str:
        # Made with the first request, hence after any fork: two processes never share it.
        self._half = self._half or secrets.token_hex(8)
        return f"{self._half}{next(self._numbers):016x}"


def _headers(made: Reply, request_id: str) -> list[tuple[str, str]]:
    return [("Content-Type", made.content_type), ("Content-Length", str(len(made.body))), ("X-Request-Id", request_id), *_HEADERS]


def _read(environ: Environ) -> Asked:
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if method == "GET":
        return _from_address(path, environ)
    if method == "POST" and path in _BODIES and not environ.get("QUERY_STRING"):
        return _from_body(path, environ)
    raise Unusual


def _from_address(path: str, environ: Environ) -> Asked:
    steps = path[len(PREFIX) :].split("/")
    if len(steps) != 3 or not path.isascii() or not path.isprintable() or environ.get("CONTENT_LENGTH", "0") not in {"", "0"}:
        raise Unusual
    domain, source, value = steps
    if not domain or not _is_usual(source, TEXT_MAX) or not _is_usual(value, KEY_LENGTH_MAX):
        raise Unusual
    targets, as_of = _from_query(environ.get("QUERY_STRING", ""))
    return Asked(LOOKUP_RULE, domain, source, targets, (value,), as_of, ON_MISS[0], _write_get)


def _from_query(query: str) -> tuple[tuple[str, ...], date]:
    targets: list[str] = []
    days: list[str] = []
    for pair in query.split("&") if query else ():
        name, _, text = pair.partition("=")
        if name not in {"to", "as_of"} or not _is_usual(text, TEXT_MAX) or not text.replace("-", "").isalnum() or not text.isascii():
            raise Unusual
        (targets if name == "to" else days).append(text)
    if len(days) > 1 or len(targets) > TARGETS_MAX:
        raise Unusual
    return tuple(targets), _day(days[0] if days else None)


def _from_body(path: str, environ: Environ) -> Asked:
    length = environ.get("CONTENT_LENGTH") or ""
    if environ.get("CONTENT_TYPE") != JSON_TYPE or not (length.isascii() and length.isdigit()) or int(length) > BODY_BYTES_MAX:
        raise Unusual
    raw = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = BytesIO(raw)  # Flask reads it again if the request is for Flask after all
    try:
        body = loads(raw)
    except orjson.JSONDecodeError:
        raise Unusual from None
    if not isinstance(body, dict):
        raise Unusual
    return _BODIES[path](body)


def _from_lookup(body: Mapping[str, Any]) -> Asked:
    if not body.keys() <= {"domain", "system", "value", "to", "as_of", "on_miss"} or not _is_usual(body.get("value"), KEY_LENGTH_MAX):
        raise Unusual
    return _asked(_LOOKUP, body, body.get("system"), (body["value"],), _write_lookup)


def _from_translate(body: Mapping[str, Any]) -> Asked:
    values = body.get("values")
    if not body.keys() <= {"domain", "from", "values", "to", "as_of", "on_miss"} or "to" not in body:
        raise Unusual
    if not isinstance(values, list) or len(values) > VALUES_MAX or not all([type(value) is str for value in values]):  # noqa: C419
        raise Unusual
    return _asked(_TRANSLATE, body, body.get("from"), values, _write_translation)


def _asked(route: str, body: Mapping[str, Any], source: object, values: Sequence[str], write: Write) -> Asked:
    domain, wanted, on_miss = body.get("domain"), body.get("to", ()), body.get("on_miss", ON_MISS[0])
    targets = (wanted,) if isinstance(wanted, str) else wanted
    if not isinstance(domain, str) or not isinstance(source, str) or not _is_usual(source, TEXT_MAX) or on_miss not in ON_MISS:
        raise Unusual
    if not isinstance(targets, Sequence) or len(targets) > TARGETS_MAX or not all(_is_usual(name, TEXT_MAX) for name in targets):
        raise Unusual
    return Asked(route, domain, source, tuple(targets), values, _day(body.get("as_of")), on_miss, write)


def _is_usual(text: object, longest: int) -> bool:
    return isinstance(text, str) and 0 < len(text) <= longest and "\x00" not in text


def _day(text: object) -> date:
    if text is None:
        return _today()
    if not isinstance(text, str) or not _USUAL_DAY.fullmatch(text):
        raise Unusual
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unusual from None


def _today() -> date:
    """Asked of the calendar at most once a second: with its time zone that is dearer than reading a request."""
    second = int(time.time())
    known = _days.get(second)
    if known is None:
        known = today()
        _days.clear()
        _days[second] = known
    return known


_days: dict[int, date] = {}


def _write_get(planned: Plan, line: Line) -> tuple[Reply, list[Miss]]:
    found = answers(planned, line.ask(planned.statement, planned.parameters))
    return reply(found[0]), missed(planned, found)


def _write_lookup(planned: Plan, line: Line) -> tuple[Reply, list[Miss]]:
    found = answers(planned, line.ask(planned.statement, planned.parameters))
    return Reply(200, JSON_TYPE, dumps(found[0])), missed(planned, found)


def _write_translation(planned: Plan, line: Line) -> tuple[Reply, list[Miss]]:
    if fits(planned):
        written = translation_json(planned, line.each(IN_PIECES, piece_parameters(planned)))
        if written is not None:
            return Reply(200, JSON_TYPE, written[0]), written[1]
    found = answers(planned, line.ask(planned.statement, planned.parameters))
    return translation(planned.question.values, found), missed(planned, found)


_BODIES: Mapping[str, Callable[[Mapping[str, Any]], Asked]] = {_LOOKUP: _from_lookup, _TRANSLATE: _from_translate}
