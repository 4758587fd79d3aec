"""An own load generator: raw HTTP/1.1 over kept-alive connections, in a process of its own.

Closed loop: every connection sends as soon as it was answered. Open loop: requests start when a clock says so, and their time counts from
that moment, so that a stalled server cannot hide the requests it kept waiting (performance.md section 5).
"""

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, ClassVar

import orjson

CONNECTIONS = 16
_READ_AHEAD = 4 * 1024 * 1024  # bytes: whoever sends megabytes is not stopped again and again by the reader


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run gave: answers a second, seconds per answer in ascending order, and answers that were not 200."""

    rate: float
    seconds: list[float]
    errors: int

    def percentile(self, share: float) -> float:
        return self.seconds[min(len(self.seconds) - 1, int(len(self.seconds) * share))]


def closed(port: int, requests: Sequence[bytes], seconds: float, connections: int = CONNECTIONS) -> Measured:
    return _elsewhere(port, requests, seconds, connections, 0.0)


def open_loop(port: int, requests: Sequence[bytes], seconds: float, rate: float, connections: int = CONNECTIONS) -> Measured:
    return _elsewhere(port, requests, seconds, connections, rate)


def room() -> memoryview:
    """Where answers of up to four megabytes are read; made anew for each piece of an answer it would be measured too."""
    return memoryview(bytearray(4 << 20))


def read(line: socket.socket, room: memoryview) -> memoryview:
    """One whole answer, headers and all, which must give its length."""
    have = line.recv_into(room)
    while b"\r\n\r\n" not in bytes(room[: min(have, 4096)]):
        have += line.recv_into(room[have:])
    head = bytes(room[: min(have, 4096)]).partition(b"\r\n\r\n")[0]
    length = len(head) + 4 + int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while have < length:
        have += line.recv_into(room[have:])
    return room[:length]


def until(port: int, requests: Sequence[bytes], rate: float, is_over: Callable[[], bool]) -> Measured:
    """Open loop on the same connections for as long as it takes."""
    context = multiprocessing.get_context("spawn")
    ended = context.Event()
    with context.Pool(1, _know, (ended,)) as pool:
        answer = pool.apply_async(_run, (port, list(requests), inf, CONNECTIONS, rate))
        while not (answer.ready() or is_over()):
            time.sleep(0.2)
        ended.set()
        return answer.get()


class _Here:
    """What the process of the clients has."""

    is_ended: ClassVar[Callable[[], bool]] = staticmethod(lambda: False)


def _know(ended: Any) -> None:
    _Here.is_ended = ended.is_set


def _elsewhere(port: int, requests: Sequence[bytes], seconds: float, connections: int, rate: float) -> Measured:
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_run, (port, list(requests), seconds, connections, rate))


def _run(port: int, requests: list[bytes], seconds: float, connections: int, rate: float) -> Measured:
    return asyncio.run(_load(port, requests, seconds, connections, rate))


async def _load(port: int, requests: list[bytes], seconds: float, connections: int, rate: float) -> Measured:
    times: list[float] = []
    errors = [0]
    lines = [await _opened(port, requests[0]) for _ in range(connections)]
    begin = time.perf_counter()

    async def one(number: int) -> None:
        reader, writer = lines[number]
        turn = number
        while True:
            intended = begin + turn / rate if rate else time.perf_counter()
            if intended - begin >= seconds or _Here.is_ended():
                break
            await asyncio.sleep(max(0.0, intended - time.perf_counter()) if rate else 0)
            writer.write(requests[turn % len(requests)])
            if not await _answered(reader):
                errors[0] += 1
            times.append(time.perf_counter() - intended)
            turn += connections
        writer.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return Measured(len(times) / (time.perf_counter() - begin), sorted(times), errors[0])


async def _opened(port: int, request: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection as clients keep them: it has been answered once, which is not measured."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_READ_AHEAD)
    writer.write(request)
    await _answered(reader)
    return reader, writer


async def _answered(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200")


def get(path: str, key: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{_authorization(key)}\r\n".encode()


def post(path: str, body: object, key: str = "") -> bytes:
    content = orjson.dumps(body)
    about = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return f"POST {path} HTTP/1.1\r\nHost: bench\r\n{_authorization(key)}{about}\r\n".encode() + content


def _authorization(key: str) -> str:
    return f"Authorization: Bearer {key}\r\n" if key else ""
