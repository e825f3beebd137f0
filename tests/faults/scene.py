"""The stage of a run under faults: an own database, collectors, and a line from each to broker and database."""

import os
import signal
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from tests.collector import proxy
from tests.collector.proxy import Proxy
from tests.e2e.collecting import CollectorProcess
from tests.services import programs
from tests.waiting import eventually

import flower_migrations
from flower_cli.embedded import errors
from flower_cli.embedded.postgres import Postgres


class Database(Postgres):
    """A PostgreSQL that keeps its promises and can be stopped as by a crash; it starts again on another port."""

    url = ""

    def start(self) -> str:
        self.url = super().start()
        return self.url

    def crash(self) -> None:
        """As `pg_ctl stop -m immediate`: no session is ended in order, nothing is written."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGQUIT)
        eventually(lambda: not self.running)
        self.stop()

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database itself, which is there."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(statement.encode(), parameters or None)
            return found.fetchall() if found.description else []


AnyDatabase = TypeVar("AnyDatabase", bound=Database)


@dataclass(frozen=True, slots=True)
class Member:
    """A collector and its lines."""

    name: str
    process: CollectorProcess
    broker: Proxy
    database: Proxy

    def heal(self) -> None:
        """Its lines are whole, and it runs."""
        self.broker.heal()
        self.database.heal()
        self.process.resume()
        if not self.process.running:
            self.process.launch()


@dataclass(frozen=True, slots=True)
class Scene:
    """What a nemesis finds."""

    members: Sequence[Member]
    database: Database

    def start_database(self) -> None:
        """Start it and lead every line to where it is now."""
        if not self.database.running:
            url = self.database.start()
            for member in self.members:
                member.database.lead_to(url)

    def heal(self) -> None:
        """Everything runs, but perhaps for the broker."""
        self.start_database()
        for member in self.members:
            member.heal()


@contextmanager
def database() -> Generator[Database]:
    """A migrated database of a server of its own."""
    # Not under pytest's own directory, which is closed to nobody: root's server becomes nobody in some containers.
    with tempfile.TemporaryDirectory(prefix="flower-postgres-") as home, serving(Database(Path(home))) as server:
        flower_migrations.upgrade(server.url)
        yield server


@contextmanager
def serving(server: AnyDatabase) -> Generator[AnyDatabase]:
    """Start the server; it ends with the block, whatever was done to it."""
    try:
        server.start()
    except errors.NotFound:
        programs.missing("PostgreSQL")
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def collectors(directory: Path, broker_url: str, *, number: int) -> Generator[Scene]:
    """So many collectors of the broker, ready, with a migrated database; all ends with the block."""
    with database() as server:
        members = [_member(directory, f"collector-{one}", broker_url, server.url) for one in range(number)]
        try:
            for member in members:
                member.process.launch()
            for member in members:
                eventually(member.process.ready)
            yield Scene(members, server)
        finally:
            for member in members:
                member.process.kill()
                member.broker.close()
                member.database.close()


def _member(directory: Path, name: str, broker_url: str, database_url: str) -> Member:
    broker, database = proxy.to(broker_url), proxy.to(database_url)
    process = CollectorProcess(
        directory, broker_url=broker.url(broker_url), database_url=database.url(database_url), name=name
    )
    return Member(name, process, broker, database)
