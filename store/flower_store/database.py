"""Connections to PostgreSQL: one place that knows the driver's URL form and its time-outs."""

import os
import re
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta

import psycopg
import psycopg.conninfo
import sqlalchemy
import sqlalchemy.exc
from sqlalchemy.engine import URL, Connection, make_url

from flower_store import errors
from flower_store.settings import SettingError, StoreSettings

_LINE = {
    "application_name": "flower",
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # keepalives rest while sent data waits to be acknowledged
}
"""libpq's options where the URL says nothing: a peer that is gone without a word is noticed after a minute."""

MARGIN = timedelta(seconds=2)
"""How much later than the server's own time-out we give up: a server that is frozen does not keep its time-outs."""


_HOSTS = re.compile(r"(?P<before>[a-z0-9+]+://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<after>.*)", re.DOTALL)
"""A URL with several hosts: libpq's own form, which SQLAlchemy does not read."""

_SEVERAL = "several.invalid"
"""Stands for them while SQLAlchemy handles the URL."""

_PRIMARY = {"target_session_attrs": "read-write"}
"""Where several hosts are named, all but one are standbys, and those take no event."""


def _parsed(database_url: str) -> tuple[URL, str]:
    """The URL and, where there are several, its hosts; raises SettingError without repeating the value."""
    several = _HOSTS.fullmatch(database_url)
    one = f"{several['before']}{_SEVERAL}{several['after']}" if several else database_url
    try:
        url = make_url(one)
        hosts = several["hosts"] if several else ""
        ports = [url.port, *(int(port) for port in re.findall(r":(\d+)(?:,|$)", hosts))]
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise SettingError("database_url", "…", "is not a URL: postgresql://user:password@host:port/name") from None
    if any(port is not None and not 0 < port < 65_536 for port in ports):  # noqa: PLR2004 - stated in the rule
        raise SettingError("database_url", "…", "its port must be from 1 to 65535")
    options = _LINE | (_PRIMARY if hosts else {}) | dict(url.query)
    return url.set(drivername="postgresql", query=options), hosts


def libpq_url(database_url: str) -> str:
    """The URL as libpq reads it, with its password and with what it does not say of the line."""
    url, hosts = _parsed(database_url)
    return url.render_as_string(hide_password=False).replace(_SEVERAL, hosts or _SEVERAL, 1)


def check(database_url: str) -> None:
    """Raise SettingError for what libpq would not understand, naming the option but no value."""
    try:
        psycopg.conninfo.conninfo_to_dict(libpq_url(database_url))
    except psycopg.ProgrammingError as error:
        raise SettingError("database_url", "…", " ".join(str(error).split())) from None


def shown(database_url: str) -> str:
    """The URL for people: without its password and without its options, which may hold one."""
    url, hosts = _parsed(database_url)
    return url.set(query={}).render_as_string(hide_password=True).replace(_SEVERAL, hosts or _SEVERAL, 1)


def milliseconds(limit: timedelta) -> str:
    """A time limit as PostgreSQL's settings take it; never 0, which would be none."""
    return str(max(1, int(limit / timedelta(milliseconds=1))))


DIALECT = "postgresql+psycopg://"
"""The driver makes the connections from libpq's URL: SQLAlchemy's own form of it knows fewer."""


def limited(limit: timedelta) -> str:
    """Set for the transaction: a pool in transaction mode takes no options and gives others what is set."""
    return f"SET LOCAL statement_timeout = {milliseconds(limit)}; SET LOCAL TimeZone = 'UTC'"


@contextmanager
def connect(database_url: str, *, timeout: timedelta = timedelta(seconds=30)) -> Generator[Connection]:
    """One synchronous connection in one transaction, committed at the end; for start-up checks."""
    url = libpq_url(database_url)
    engine = sqlalchemy.create_engine(
        DIALECT,
        creator=lambda: psycopg.connect(url, prepare_threshold=None),
        poolclass=sqlalchemy.NullPool,
    )
    with errors.translated(), engine.begin() as connection:
        connection.exec_driver_sql(limited(timeout))
        yield connection


@contextmanager
def bounded(connection: psycopg.Connection, limit: timedelta) -> Generator[None]:
    """Hang up when the work takes longer than the server's own time-out and a margin: it then fails as cut off."""
    timer = threading.Timer((limit + MARGIN).total_seconds(), _hang_up, (connection,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: psycopg.Connection) -> None:
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def connect_driver(settings: StoreSettings) -> psycopg.Connection:
    """A connection of the driver's own, for COPY; autocommit. Raises Unavailable: no event is to blame for it."""
    options = " ".join(f"-c {name}={value}" for name, value in limits(settings.database_write_timeout).items())
    try:
        with errors.translated():
            return _driver(settings, options)
    except errors.Rejected as error:
        raise errors.Unavailable(str(error)) from error


def limits(timeout: timedelta) -> dict[str, str]:
    """What the server is to give up of ours after which time.

    - Who waits for a lock holds others, so that is given up first.
    - A collector that is stopped in the middle of a transaction holds its tasks against the other collectors.
    """
    whole = milliseconds(timeout)
    return {
        "statement_timeout": whole,
        "lock_timeout": milliseconds(timeout / 3),
        "idle_in_transaction_session_timeout": whole,
    }


_REFUSED = "unsupported startup parameter"
"""What pgbouncer says of them. Each batch then sets them for its own transaction, and we hang up on all else."""


def _driver(settings: StoreSettings, options: str) -> psycopg.Connection:
    url = libpq_url(settings.database_url)
    try:
        given = psycopg.conninfo.conninfo_to_dict(url).get("options") or ""
        return psycopg.connect(url, autocommit=True, prepare_threshold=None, options=f"{given} {options}".strip())
    except psycopg.OperationalError as error:
        if _REFUSED not in str(error):
            raise
    return psycopg.connect(url, autocommit=True, prepare_threshold=None)
