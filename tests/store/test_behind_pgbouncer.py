"""The store behind pgbouncer in transaction mode, where nothing of a session stays."""

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import text
from tests.services import pgbouncer
from tests.store.conftest import Query

import flower_migrations
from flower_store import errors, leadership, notices
from flower_store.factories import a_heartbeat, a_success, uuid_of
from flower_store.reader import Reader
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

pytestmark = pytest.mark.slow

SHORT = timedelta(milliseconds=500)


@pytest.fixture
def pool(database_url: str) -> Iterator[str]:
    with pgbouncer.pooled(database_url) as url:
        yield url


@pytest.fixture
def pooled(pool: str) -> StoreSettings:
    return StoreSettings(database_url=pool)


def test_writers_share_the_pools_connections(pooled: StoreSettings, query: Query) -> None:
    writers = [Writer(pooled, cluster="default") for _ in range(2 * pgbouncer.CONNECTIONS)]
    for round_ in range(3):
        for number, writer in enumerate(writers):
            batch = a_success(str(uuid_of(f"{round_}-{number}")), name=f"app.{number}")
            assert writer.write(batch, [a_heartbeat(round_)]).stored == 4
            assert writer.write(batch).stored == 0
    for writer in writers:
        writer.close()

    assert query("SELECT sum(count) FROM rollup_1m") == [(3 * 4 * len(writers),)]
    assert query("SELECT state, count(*) FROM task GROUP BY 1") == [("SUCCESS", 3 * len(writers))]


def test_a_batch_brings_its_own_limits_and_leaves_none_behind(pooled: StoreSettings, pool: str) -> None:
    writer = Writer(pooled, cluster="default")
    writer.write(a_success(str(uuid_of("one"))))

    with psycopg.connect(pool, prepare_threshold=None) as connection:
        left = connection.execute("SELECT current_setting('statement_timeout')").fetchone()

    assert left == ("0",)
    writer.close()


def test_a_lock_is_waited_for_no_longer_than_a_batch_may(pool: str, database_url: str) -> None:
    settings = StoreSettings(database_url=pool, database_write_timeout=SHORT)
    writer = Writer(settings, cluster="default")
    writer.connect()
    with psycopg.connect(database_url) as other:
        other.execute("LOCK TABLE task")

        with pytest.raises(errors.Unavailable, match="lock timeout"):
            writer.write(a_success(str(uuid_of("one"))))

    assert writer.write(a_success(str(uuid_of("one")))).stored == 4
    writer.close()


def test_who_leads_does_not_hang_on_a_connection(pooled: StoreSettings) -> None:
    one, other = (Writer(pooled, cluster="default") for _ in range(2))
    first, second = uuid4(), uuid4()

    led = [leadership.try_lead(writer, who) for _ in range(5) for writer, who in ((one, first), (other, second))]
    one.close()  # without a word, as when it is killed
    leadership.resign(other, first)

    assert led == [True, False] * 5
    assert leadership.try_lead(other, second)
    other.close()


def test_a_temporary_table_of_an_older_schema_is_not_met(pooled: StoreSettings, pool: str) -> None:
    for _ in range(4 * pgbouncer.CONNECTIONS):
        with psycopg.connect(pool, autocommit=True, prepare_threshold=None) as connection:
            connection.execute("CREATE TEMPORARY TABLE IF NOT EXISTS incoming_task_0001 (key uuid)")
    writer = Writer(pooled, cluster="default")

    assert writer.write(a_success(str(uuid_of("one")))).stored == 4
    writer.close()


def test_reads_have_their_time_out_and_are_in_utc(pooled: StoreSettings) -> None:
    async def read() -> tuple[object, ...]:
        reader = Reader(replace(pooled, database_read_timeout=SHORT))
        try:
            async with reader.connect() as connection:
                row = (await connection.execute(text("SELECT current_setting('TimeZone'), 1"))).one()
            with pytest.raises(errors.StatementTimeout):
                async with reader.connect() as connection:
                    await connection.execute(text("SELECT pg_sleep(60)"))
            return tuple(row)
        finally:
            await reader.close()

    assert asyncio.run(read()) == ("UTC", 1)


def test_migrations_run_through_the_pool(empty_database_url: str) -> None:
    with pgbouncer.pooled(empty_database_url) as pool:
        flower_migrations.upgrade(pool)

        writer = Writer(StoreSettings(database_url=pool), cluster="default")
        assert writer.write(a_success(str(uuid_of("one")))).stored == 4
        writer.close()


def test_listening_through_the_pool_is_refused_with_what_to_do(pooled: StoreSettings) -> None:
    async def listen() -> None:
        async with aclosing(notices.listen(pooled)) as heard:
            await anext(heard)

    with pytest.raises(errors.Unavailable, match="database_listen_url"):
        asyncio.run(listen())


def test_listening_past_the_pool_hears_what_is_written_through_it(pooled: StoreSettings, database_url: str) -> None:
    async def listen() -> list[int]:
        async with aclosing(notices.listen(replace(pooled, database_listen_url=database_url))) as heard:
            began = await anext(heard)
            writer = Writer(pooled, cluster="default")
            await asyncio.to_thread(writer.write, a_success(str(uuid_of("one"))))
            await asyncio.to_thread(writer.close)
            async with asyncio.timeout(60):
                return [began, await anext(heard)]

    began, changed = asyncio.run(listen())
    assert began == 0
    assert changed > 0
