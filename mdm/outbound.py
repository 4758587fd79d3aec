"""The one way out: a POST to an address that somebody registered, which must never become a way into our own network.

The host is resolved once, every answer is checked, and the connection goes to the very address that was checked. No redirect is followed,
what comes back is read up to a bound, and after ten seconds it is over, however slowly bytes drip.
"""

import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import AF_UNSPEC, IPPROTO_TCP, SHUT_RDWR, SOCK_STREAM, create_connection, gaierror, getaddrinfo
from threading import Event, Timer
from typing import Self
from urllib.parse import SplitResult, urlsplit

from mdm.errors import FieldProblem, Invalid
from mdm.settings import Profile, Settings

SECONDS_MAX = 10.0
BODY_BYTES_MAX = 64 * 1024
URL_CHARACTERS_MAX = 2_000
_PORTS = {"https": 443, "http": 80}
_USER_PORTS = range(1024, 65536)
# Ranges that carry an IPv4 address inside: IPv4-compatible, 6to4, Teredo, NAT64 (RFC 4291, 3056, 4380, 6052, 8215). None is a receiver's.
_WRAPPING = tuple(ip_network(each) for each in ("::/96", "2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48", "fec0::/10"))


@dataclass(frozen=True, slots=True)
class Guard:
    """What this installation may send to: public addresses by TLS, and the hosts that the operator named whatever their address."""

    allowed_hosts: frozenset[str] = frozenset()
    plain_http: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, with the address that was checked and will be connected to."""

    url: SplitResult
    address: str

    @property
    def host(self) -> str:
        return self.url.hostname or ""

    @property
    def port(self) -> int:
        return self.url.port or _PORTS[self.url.scheme]

    @property
    def path(self) -> str:
        return (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")


class Unreachable(Exception):
    """Nothing came back that could be called an answer; says the kind of trouble, never an address."""


def target(url: str, guard: Guard, pointer: str = "/url") -> Target:
    """Resolve and check. Raises Invalid (`bad_url`, `forbidden_address`), and Unreachable for a name that does not resolve."""
    parts = _parsed(url, guard, pointer)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        found = getaddrinfo(host, port, AF_UNSPEC, SOCK_STREAM, IPPROTO_TCP)
    except (gaierror, UnicodeError) as error:
        raise Unreachable("the name does not resolve") from error
    addresses = [str(each[4][0]) for each in found]
    if host not in guard.allowed_hosts and not all(map(is_public, addresses)):
        raise Invalid(problems=(FieldProblem("forbidden_address", pointer, "this host has an address that is not public"),))
    return Target(parts, addresses[0])


def _parsed(url: str, guard: Guard, pointer: str) -> SplitResult:
    def refuse(remedy: str) -> Invalid:
        return Invalid(problems=(FieldProblem("bad_url", pointer, remedy),))

    if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise refuse("plain ASCII without spaces; other scripts in their xn-- and % forms")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refuse("this is no URL") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and guard.plain_http):
        raise refuse("https is needed")
    if not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise refuse("a host, without user name, password and fragment")
    if port is not None and port not in _USER_PORTS and port != _PORTS[parts.scheme]:
        raise refuse("the port of the scheme, or one from 1024")
    return parts


def is_public(address: str) -> bool:
    """Whether it is an address of the internet at large, of one single receiver."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return _is_public(found)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if any(address.version == each.version and address in each for each in _WRAPPING):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


@dataclass(slots=True)
class Line:
    """A connection to one target, kept open from one POST to the next while the receiver allows it."""

    to: Target
    _open: HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status. Raises Unreachable when there is none within ten seconds."""
        for may_be_stale in (True, False) if self._open is not None else (False,):
            cut = Event()
            try:
                return self._post(body, headers, cut)
            except (OSError, HTTPException) as error:
                self.close()
                if cut.is_set() or isinstance(error, TimeoutError):
                    raise Unreachable("timed out") from error
                if not may_be_stale:  # else: the receiver closed the kept line, as it may
                    raise Unreachable(_trouble(error)) from error
        raise Unreachable("no connection")

    def _post(self, body: bytes, headers: Mapping[str, str], cut: Event) -> int:
        line = self._open = self._open or _Pinned(self.to)
        over = Timer(SECONDS_MAX, _cut, (line, cut))
        over.daemon = True
        over.start()
        try:
            line.request("POST", self.to.path, body, dict(headers))
            answer = line.getresponse()
            rest = answer.read(BODY_BYTES_MAX)
        finally:
            over.cancel()
        if len(rest) == BODY_BYTES_MAX or answer.will_close:  # there may be no end to it
            self.close()
        return answer.status


def _trouble(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "TLS failed"
    return "no connection" if isinstance(error, OSError) else "no HTTP answer"


def _cut(line: HTTPConnection, cut: Event) -> None:
    cut.set()
    if line.sock is not None:
        with suppress(OSError):
            line.sock.shutdown(SHUT_RDWR)


class _Pinned(HTTPConnection):
    """To the checked address; certificate and Host header are of the name."""

    def __init__(self, to: Target) -> None:
        self.default_port = _PORTS[to.url.scheme]
        super().__init__(to.host, to.port, timeout=SECONDS_MAX)
        self._to = to

    def connect(self) -> None:
        self.sock = create_connection((self._to.address, self._to.port), timeout=SECONDS_MAX)
        if self._to.url.scheme == "https":
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self._to.host)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def guard_of(settings: Settings) -> Guard:
    """Plain HTTP only where nothing real is sent."""
    return Guard(settings.webhook_hosts, plain_http=settings.profile is not Profile.PRODUCTION)
