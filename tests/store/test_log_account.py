"""The account of docs/security.md: collector and API work with it, and it cannot rewrite the log of commands."""

import os
import re
import signal
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors as driver
from tests.api import serving, written
from tests.collector.asking import Asker
from tests.services import programs
from tests.waiting import eventually

import flower_migrations
from flower_cli.embedded import errors
from flower_cli.embedded.postgres import Postgres
from flower_store import claims, outbox, retention
from flower_store.claims import Ending
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Instance, Writer

pytestmark = pytest.mark.service

DOCUMENT = Path(__file__).parents[2] / "docs" / "security.md"
Run = Callable[[str], int]


@pytest.fixture(scope="module")
def superuser_url() -> Iterator[str]:
    """A server's, whose superuser may come by network: those of other tests let nobody in as that."""
    with tempfile.TemporaryDirectory(prefix="flower-account-") as directory:
        server = Postgres(Path(directory), durable=False)
        try:
            url = urlsplit(server.start())
        except errors.NotFound:
            programs.missing("PostgreSQL")
        try:
            data = next(Path(directory).rglob("pg_hba.conf")).parent
            with (data / "pg_hba.conf").open("a") as rules:
                rules.write("host all all 127.0.0.1/32 trust\n")
            os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGHUP)
            found = url._replace(netloc=f"postgres@{url.netloc.rpartition('@')[2]}").geturl()
            eventually(lambda: _comes_in(found))
            flower_migrations.upgrade(found)
            yield found
        finally:
            server.stop()


def _comes_in(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(scope="module")
def store(superuser_url: str) -> StoreSettings:
    """That of the account."""
    found = re.search(r"```sql\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    with psycopg.connect(superuser_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE flower_app LOGIN")
        owner.execute(found[1].encode())
    return StoreSettings(database_url=superuser_url.replace("postgres@", "flower_app@"))


@pytest.fixture
def run(store: StoreSettings) -> Iterator[Run]:
    with psycopg.connect(store.database_url, autocommit=True) as connection:
        yield lambda statement: connection.execute(statement.encode()).rowcount


def ended(store: StoreSettings) -> int:
    """A command that was asked for, taken and answered, with the account."""
    writer = Writer(store, cluster="default", transport="amqp")
    me = Instance(id=uuid.uuid4(), hostname="here", pid=1, version="3", promise="")
    writer.beat(me, stored=0, aside=0, lag=None)
    asked = Asker(store).issue("revoke").id
    taken = claims.claim(writer, me.id, {"revoke"}, most=9, shown=lambda one: one.arguments)
    claims.finish(writer, me.id, asked, Ending(outcome=outbox.DONE, answer="yes"))
    claims.tidy(writer)
    writer.close()
    assert [one.id for one in taken] == [asked]
    return asked


def test_the_collector_and_the_api_work_with_it(store: StoreSettings, run: Run) -> None:
    written.into(store, "default", written.a_run("t", "shop.pay"))
    number = ended(store)
    with serving.client(store) as client:
        told = client.get(f"/api/v1/clusters/default/commands/{number}").json()
        listed = client.get("/api/v1/clusters/default/tasks").json()
        ready = client.get("/readyz").status_code
    writer = Writer(store, cluster="default", transport="amqp")
    later = datetime.now(UTC) + timedelta(days=4000)
    gone = list(retention.steps(writer, RetentionSettings(), later, threading.Event()))
    writer.close()

    assert (ready, told["status"], [one["id"] for one in listed["tasks"]]) == (200, "done", ["t"])
    assert all(one.done for one in gone)
    assert {"events"} <= {one.kind for one in gone}
    assert run(f"SELECT FROM command WHERE id = {number}") == 1


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        *(
            (f"UPDATE command SET {column} = {column}", driver.InsufficientPrivilege)
            for column in ("cluster_id", "kind", "target", "actor", "origin", "reason", "asked_at")
        ),
        ("UPDATE command SET outcome = 'failed'", driver.RaiseException),
        ("UPDATE command SET reply = '{}', ended_at = now()", driver.RaiseException),
        ("UPDATE command SET arguments = '{\"a\": 1}'", driver.RaiseException),
        ("DELETE FROM command", driver.RaiseException),
        ("DELETE FROM cluster", psycopg.Error),
        ("TRUNCATE command", driver.InsufficientPrivilege),
        ("TRUNCATE cluster CASCADE", driver.InsufficientPrivilege),
        ("DROP TABLE command", driver.InsufficientPrivilege),
        ("ALTER TABLE command DISABLE TRIGGER ALL", driver.InsufficientPrivilege),
        ("DROP FUNCTION command_append_only CASCADE", driver.InsufficientPrivilege),
        ("SET session_replication_role = replica", driver.InsufficientPrivilege),
        ("DROP SCHEMA public CASCADE", driver.InsufficientPrivilege),
    ],
)
def test_it_cannot_rewrite_the_log(
    store: StoreSettings, run: Run, statement: str, refused: type[psycopg.Error]
) -> None:
    number = ended(store)

    with pytest.raises(refused):
        run(statement)

    assert run(f"SELECT FROM command WHERE id = {number} AND outcome = 'done'") == 1


def test_operators_of_its_own_do_not_deceive_the_trigger(store: StoreSettings, run: Run) -> None:
    ended(store)
    run("CREATE FUNCTION public.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true'")
    run("CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.yes)")
    run("SET search_path = public, pg_catalog")

    with pytest.raises(driver.RaiseException):
        run("DELETE FROM public.command")
