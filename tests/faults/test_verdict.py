"""The verdict on a run: it is clean where the store is what was published, and sees each value that is not."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from tests.collector import messages
from tests.faults import load, stream, verdict
from tests.faults.conftest import Query
from tests.faults.load import Published

from flower_collector import gate
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

BEGAN = 1_790_000_000_000_000
MESSAGES = 700
NOT_JUDGED = {
    "task": {"id", "cluster_id"},
    # When it was received.
    "task_event": {"lag"},
    "worker": {"id", "cluster_id", "seen_at", "alive_until", "used_at"},
    "worker_event": {"id"},
}
OTHER: dict[str, LiteralString] = {
    "text": "coalesce({column}, '') || 'x'",
    "integer": "coalesce({column}, 0) + 1",
    "smallint": "{column} % 9 + 1",
    "bigint": "coalesce({column}, 0) + 1",
    "double precision": "coalesce({column}, 0) + 1",
    "real": "coalesce({column}, 0) + 1",
    "real[]": "ARRAY[9]::real[]",
    "uuid": "gen_random_uuid()",
    "boolean": "NOT coalesce({column}, false)",
    "jsonb": """coalesce({column}, '{{}}') || '{{"x": 1}}'""",
    "timestamp with time zone": "coalesce({column}, '2026-11-20') + interval '1 second'",
}
"""By type of a column: another value than it has."""
A_BATCH = 40
"""Messages."""

COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


@pytest.fixture
def published(database_url: str) -> Published:
    """What the collector's gate and the store's writer made of a stream, but for its last messages."""
    publications = list(islice(stream.publications(7, began=BEGAN, rate=500.0), MESSAGES))
    writer = Writer(StoreSettings(database_url=database_url), cluster="default")
    opened = [gate.open_message(messages.message(one.message.body)) for one in publications[:-20]]
    assert not any(one.aside for one in opened)
    for start in range(0, len(opened), A_BATCH):
        batch = opened[start : start + A_BATCH]
        writer.write([task for one in batch for task in one.tasks], [beat for one in batch for beat in one.workers])
    writer.close()
    return load.published(publications, {one.number for one in publications[-20:]})


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def test_a_store_that_holds_what_was_published_is_clean(published: Published, database_url: str, query: Query) -> None:
    judged = verdict.judge(database_url, published)

    assert judged.clean, judged
    assert judged.attempted > judged.acknowledged > 0
    kinds = Counter(event.type for event in published.attempted.values())
    assert {
        "task-revoked",
        "task-rejected",
        "task-cancelled",
        "task-progress",
        "task-failed",
        "task-retried",
    } <= kinds.keys()
    states = {row[0] for row in query("SELECT DISTINCT state FROM task")}
    assert {"SUCCESS", "FAILURE", "REVOKED", "REJECTED"} <= states


@pytest.mark.slow
@pytest.mark.parametrize("table", sorted(NOT_JUDGED))
def test_another_value_in_any_column_is_seen(
    published: Published, database_url: str, connection: psycopg.Connection, table: str
) -> None:
    columns = [one for one in connection.execute(COLUMNS, (table,)) if one[0] not in NOT_JUDGED[table]]

    unseen = [name for name, kind in columns if looks_clean(connection, database_url, published, (table, name, kind))]

    assert columns
    assert unseen == []
    assert verdict.judge(database_url, published).clean


def looks_clean(
    connection: psycopg.Connection, url: str, published: Published, where_and_what: tuple[str, str, str]
) -> bool:
    """Whether a wrong value of one row, in a table's column of a type, is not seen. It is put right again."""
    table, column, kind = where_and_what
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
    other = sql.SQL(OTHER[kind]).format(column=names["column"])
    where = sql.SQL("(tableoid, ctid) = (SELECT tableoid, ctid FROM {table} ORDER BY {column} LIMIT 1)").format(**names)
    before = connection.execute(sql.SQL("SELECT {column} FROM {table} WHERE ").format(**names) + where).fetchone()
    assert before is not None
    changed = connection.execute(
        sql.SQL("UPDATE {table} SET {column} = ").format(**names) + other + sql.SQL(" WHERE ") + where
        + sql.SQL(" RETURNING tableoid, ctid")
    ).fetchone()  # fmt: skip
    assert changed is not None
    clean = verdict.judge(url, published).clean
    connection.execute(
        sql.SQL("UPDATE {table} SET {column} = %s WHERE (tableoid, ctid) = (%s, %s)").format(**names),
        (adapted(before[0]), *changed),
    )
    return clean


def adapted(value: object) -> object:
    return Jsonb(value) if isinstance(value, dict) else value


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE task SET args = '(wrong)', result = 'wrong', kwargs = '{}'",
        "UPDATE task SET started_worker_id = NULL, started_pid = 1",
        "UPDATE task SET received_retries = 7",
        "UPDATE task SET name_id = NULL",
        "UPDATE task SET started_clock = started_clock + 100",
        "UPDATE task SET found_at = now(), found_state = 'SUCCESS' WHERE state = 'STARTED'",
        "UPDATE task_event SET name_id = (SELECT max(id) FROM task_name) WHERE type = 3",
        "DELETE FROM worker_event",
        "UPDATE worker SET processed = 0",
        "DELETE FROM task WHERE state = 'REVOKED'",
        "UPDATE rollup_1h SET count = count + 1",
    ],
)
def test_a_store_that_was_spoilt_is_not_clean(
    published: Published, database_url: str, connection: psycopg.Connection, statement: str
) -> None:
    spoilt = connection.execute(statement.encode()).rowcount

    judged = verdict.judge(database_url, published)

    assert spoilt > 0
    assert not judged.clean
