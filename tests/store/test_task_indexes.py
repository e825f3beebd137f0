"""Searches that find few tasks or none take an index, whatever their numbers and texts are."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import create_engine, select

from flower_store import query_text, tables
from flower_store.factories import an_event
from flower_store.reader import Reader
from flower_store.reads.matching import Matching
from flower_store.settings import StoreSettings
from flower_store.writes import Writer


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("searched", "index"),
    [
        ("runtime>1h", "ix_task_runtime"),
        ("runtime>=1s", "ix_task_runtime"),
        ("runtime:2s..3s", "ix_task_runtime"),
        ("wait>1h", "ix_task_wait"),
        ("wait:10s..20s", "ix_task_wait"),
        ("retries>5", "ix_task_retried"),
        ("is:eta", "ix_task_eta"),
        ("error:NothingError", "ix_task_error"),
        ("error:Nothing*", "ix_task_error"),
        ("error:\"NothingError('at all')\"", "ix_task_error"),
    ],
)
async def test_a_rare_search_takes_an_index(
    settings: StoreSettings, database_url: str, searched: str, index: str
) -> None:
    reader = Reader(settings)
    query = query_text.parse(searched)
    assert query is not None
    async with reader.connect() as connection:
        condition = await Matching(connection, 1, datetime.now(UTC)).condition(query)
    await reader.close()
    statement = select(tables.task.c.key).where(tables.task.c.cluster_id == 1, condition)
    dialect = create_engine("postgresql+psycopg://").dialect
    asked = str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))

    with psycopg.connect(database_url) as connection:
        connection.execute("SET enable_seqscan = off")
        row = connection.execute(f"EXPLAIN (FORMAT JSON) {asked}".encode()).fetchone()

    assert index in json.dumps(row)


NUMBERS = (0.5, 1.0, 9.0, 10.0, 60.0)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("searched", "found"),
    [
        ("{}>0.5s", NUMBERS[1:]),
        ("{}>=1s", NUMBERS[1:]),
        ("{}>1s", NUMBERS[2:]),
        ("{}>9s", NUMBERS[3:]),
        ("{}>=10s", NUMBERS[3:]),
        ("{}>10s", NUMBERS[4:]),
        ("{}<10s", NUMBERS[:3]),
        ("{}<=10s", NUMBERS[:4]),
        ("{}:10s..60s", NUMBERS[3:]),
        ("{}:0.5s..10s", NUMBERS[:4]),
    ],
)
@pytest.mark.parametrize("key", ["wait", "runtime"])
async def test_a_number_is_found_with_an_index_and_without(
    writer: Writer, settings: StoreSettings, key: str, searched: str, found: Sequence[float]
) -> None:
    for place, seconds in enumerate(NUMBERS):
        task_id = f"00000000-0000-4000-8000-{place:012d}"
        events = [an_event("sent", task_id=task_id), an_event("started", seconds, task_id=task_id)]
        writer.write([*events, an_event("succeeded", 100, task_id=task_id, runtime=seconds)])
    query = query_text.parse(searched.format(key))
    assert query is not None

    reader = Reader(settings)
    async with reader.connect() as connection:
        condition = await Matching(connection, writer.cluster_id, datetime.now(UTC)).condition(query)
        numbers = list(await connection.scalars(select(tables.task.c.runtime).where(condition)))
    await reader.close()

    assert sorted(numbers) == sorted(found)
