"""What an installation may set, checked at start, with every problem reported at once. No other module reads the environment."""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from mdm.errors import FieldProblem, SettingsError

NO_BROKER = "none"
BROKER_SCHEMES = ("redis", "rediss", "redis+socket", "amqp", "amqps")
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PEPPER_CHARACTERS_MIN = 32
WEB_WORKERS_MAX = 64
HOST_NAME = re.compile(r"[0-9A-Za-z]([0-9A-Za-z.-]{0,251}[0-9A-Za-z])?|[0-9A-Fa-f:.]{2,45}")

KAFKA_URL = re.compile(r"kafka(\+ssl)?://([^@/\s]+@)?[0-9A-Za-z.-]+:[0-9]{1,5}(,[0-9A-Za-z.-]+:[0-9]{1,5})*/[0-9A-Za-z._-]{1,200}")


class SecondFactor(StrEnum):
    """Whether whoever signs in must have a second factor, or may."""

    DEMANDED = "demanded"
    OFFERED = "offered"


class Profile(StrEnum):
    """What an installation is for; outside `test` nothing that endangers data is accepted."""

    DEMO = "demo"
    PRODUCTION = "production"
    TEST = "test"


UNBOUNDED = 999_999_999
_BUDGETS = {Profile.DEMO: UNBOUNDED, Profile.TEST: UNBOUNDED, Profile.PRODUCTION: 1_000_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation. A URL of None means the embedded service; a broker of `none` means workers poll the database."""

    home: Path
    database_url: str | None = field(repr=False)  # both URLs may hold a password
    broker_url: str | None = field(repr=False)
    host: str
    port: int
    web_workers: int
    match_memory_gb: int  # what bulk matching may take before it spills to disk
    load_approval_rows: int  # a load that changes more rows needs a second person
    log_level: str
    profile: Profile
    lookup_budget: int  # values of patients that a key may ask for in an hour
    second_factor: SecondFactor
    pepper_given: str | None = field(repr=False)
    webhook_hosts: frozenset[str]  # receivers that may have an address which is not public
    kafka_url: str | None = field(repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read the MDM_ variables; an empty one counts as unset. Raises one SettingsError that names all problems."""
        reader = _Reader(environ)
        settings = cls(
            home=reader.home("MDM_HOME", default=".mdm"),
            database_url=reader.database_url("MDM_DATABASE_URL"),
            broker_url=reader.broker_url("MDM_BROKER_URL"),
            host=reader.host("MDM_HOST", default="127.0.0.1"),
            port=reader.whole_number("MDM_PORT", default=8000, largest=65535),
            web_workers=reader.whole_number("MDM_WEB_WORKERS", default=2, largest=WEB_WORKERS_MAX),
            match_memory_gb=reader.whole_number("MDM_MATCH_MEMORY_GB", default=4, largest=1024),
            load_approval_rows=reader.whole_number("MDM_LOAD_APPROVAL_ROWS", default=100_000, largest=100_000_000),
            log_level=reader.choice("MDM_LOG_LEVEL", LOG_LEVELS, default="INFO", fold=str.upper),
            profile=(profile := Profile(reader.choice("MDM_PROFILE", tuple(Profile), default=Profile.DEMO, fold=str.lower))),
            lookup_budget=reader.whole_number("MDM_LOOKUP_BUDGET", default=_BUDGETS[profile], largest=UNBOUNDED),
            second_factor=reader.second_factor("MDM_SECOND_FACTOR", profile),
            pepper_given=reader.pepper("MDM_KEY_PEPPER"),
            webhook_hosts=reader.hosts("MDM_WEBHOOK_HOSTS"),
            kafka_url=reader.kafka_url("MDM_KAFKA_URL"),
        )
        reader.check_spelling()
        reader.raise_problems()
        return settings

    def seal_key(self) -> bytes:
        """What seals of the audit are signed with; in MDM_HOME/seal, mode 0600, and never in the database."""
        return _kept_secret(self.home / "seal").encode()

    def key_pepper(self) -> bytes:
        """The secret mixed into API key hashes: MDM_KEY_PEPPER, else one made once and kept in MDM_HOME/secret, mode 0600."""
        return (self.pepper_given or _kept_secret(self.home / "secret")).encode()


class _Reader:
    """Reads variables one by one, goes on with the default after a problem, and knows which names were asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: list[str] = []
        self._problems: list[FieldProblem] = []

    def text(self, name: str) -> str | None:
        self._known.append(name)
        return self._environ.get(name, "").strip() or None

    def problem(self, name: str, message: str) -> None:
        self._problems.append(FieldProblem(code="bad_setting", pointer=name, message=f"{name} {message}"))

    def home(self, name: str, *, default: str) -> Path:
        given = self.text(name) or default
        if "\0" in given or "\n" in given:
            self.problem(name, "must be one line")
            return Path(default)
        home = Path(given).expanduser().absolute()
        if not _can_be_written(home):
            self.problem(name, f"{home} cannot be written")
        return home

    def database_url(self, name: str) -> str | None:
        url = self.text(name)
        if url is None:
            return None
        plain = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql://", url)
        if not _is_postgres_url(plain):  # the message must not repeat the URL: it may hold a password
            self.problem(name, "must be a PostgreSQL URL such as postgresql://user@host/concord")
        return plain

    def broker_url(self, name: str) -> str | None:
        url = self.text(name)
        if url is None or url == NO_BROKER:
            return url
        if not _is_broker_url(url):
            self.problem(name, f"must be `{NO_BROKER}` or a URL that begins with one of {', '.join(BROKER_SCHEMES)}")
        return url

    def host(self, name: str, *, default: str) -> str:
        host = self.text(name) or default
        if HOST_NAME.fullmatch(host) is None:
            self.problem(name, "must be an address or a host name")
        return host

    def hosts(self, name: str) -> frozenset[str]:
        given = [host.strip().lower() for host in (self.text(name) or "").split(",") if host.strip()]
        if any(HOST_NAME.fullmatch(host) is None for host in given):
            self.problem(name, "must be host names or addresses, with commas between them")
        return frozenset(given)

    def kafka_url(self, name: str) -> str | None:
        url = self.text(name)
        if url is not None and KAFKA_URL.fullmatch(url) is None:
            self.problem(name, "must read kafka://host:port,host:port/topic, or kafka+ssl://user:password@host:port/topic")
            return None
        return url

    def whole_number(self, name: str, *, default: int, largest: int) -> int:
        given = self.text(name)
        if given is None:
            return default
        if re.fullmatch(r"[0-9]{1,9}", given) and 1 <= int(given) <= largest:
            return int(given)
        self.problem(name, f"must be a whole number from 1 to {largest}")
        return default

    def choice(self, name: str, choices: tuple[str, ...], *, default: str, fold: Callable[[str], str]) -> str:
        given = fold(self.text(name) or default)
        if given in choices:
            return given
        self.problem(name, f"must be one of {', '.join(choices)}")
        return default

    def second_factor(self, name: str, profile: Profile) -> SecondFactor:
        """Demanded in production, unless somebody says otherwise."""
        default = SecondFactor.DEMANDED if profile is Profile.PRODUCTION else SecondFactor.OFFERED
        return SecondFactor(self.choice(name, tuple(SecondFactor), default=default, fold=str.lower))

    def pepper(self, name: str) -> str | None:
        given = self.text(name)
        if given is not None and len(given) < PEPPER_CHARACTERS_MIN:
            self.problem(name, f"must have at least {PEPPER_CHARACTERS_MIN} characters")
        return given

    def check_spelling(self) -> None:
        """A mistyped MDM_DATABASE_URL would otherwise start an empty embedded database without a word."""
        for name in sorted(set(self._environ) - set(self._known)):
            meant = get_close_matches(name, self._known, n=1, cutoff=0.85) if name.startswith("MDM_") else []
            if meant:
                self.problem(name, f"is not a setting; did you mean {meant[0]}?")

    def raise_problems(self) -> None:
        if self._problems:
            raise SettingsError("; ".join(problem.message for problem in self._problems), tuple(self._problems))


def _can_be_written(folder: Path) -> bool:
    """Whether the folder, or what would have to be made on the way to it, can be written."""
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def _is_postgres_url(url: str) -> bool:
    try:
        ports = str(conninfo_to_dict(url).get("port", "5432"))
    except psycopg.ProgrammingError:
        return False
    return url.startswith("postgresql://") and re.fullmatch(r"[0-9]{1,5}(,[0-9]{1,5})*", ports) is not None  # one per host


def _is_broker_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port_is_sound = parts.port is None or parts.port > 0
    except ValueError:
        return False
    place = parts.path.strip("/") if parts.scheme == "redis+socket" else parts.hostname
    return parts.scheme in BROKER_SCHEMES and port_is_sound and bool(place)


def _kept_secret(path: Path) -> str:
    """Read the secret, made first if there is none; of several makers at once one wins, because link() refuses to replace."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        made.touch(mode=0o600)
        made.write_text(secrets.token_hex(32))
        with suppress(FileExistsError):
            path.hardlink_to(made)
        made.unlink()
    return path.read_text()
