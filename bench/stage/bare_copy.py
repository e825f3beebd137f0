"""A bare COPY of the rows that a collector wrote, as PostgreSQL alone can take them."""

import time

import psycopg

from flower_collector.settings import CollectorSettings

BATCH = CollectorSettings().batch_size


def rate(database_url: str) -> float:
    """Rows a second of the database's event log, copied into a table without an index, a batch a transaction."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        lines = _lines(connection)
        connection.execute("CREATE TABLE bare (LIKE task_event)")
        began = time.perf_counter()
        for start in range(0, len(lines), BATCH):
            with connection.transaction(), connection.cursor().copy("COPY bare FROM STDIN") as copy:
                copy.write(b"".join(lines[start : start + BATCH]))
        return len(lines) / (time.perf_counter() - began)


def _lines(connection: psycopg.Connection) -> list[bytes]:
    with connection.cursor().copy("COPY (SELECT * FROM task_event) TO STDOUT") as copy:
        return [bytes(line) for line in copy]
