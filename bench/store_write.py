"""How fast batches become rows: Writer.write against a bare COPY of the same events, side by side in one run.

Prints for each round both rates and their ratio, and the medians at the end. PostgreSQL is the embedded one with fsync
on, as a user has it. `./run bench store_write [ROUNDS] [TASKS]`.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import psycopg

import flower_migrations
from flower_cli.embedded.postgres import Postgres
from flower_store import rows
from flower_store.events import TaskEvent
from flower_store.factories import NOON, a_success
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

BATCH = 4_000
IDS = rows.Ids(
    names={"app.add": 1},
    queues={},
    workers={"celery@a": 1},
    types={},
    overflow={"name": -1, "worker": -1, "type": -1},
)


def generated(first: int, tasks: int) -> list[TaskEvent]:
    """Four events a task, in the order in which a cluster of twenty concurrent tasks sends them."""
    stories = [a_success(str(UUID(int=first + number)), (first + number) / 1000) for number in range(tasks)]
    events = [event for story in stories for event in story]
    return sorted(events, key=lambda event: event.at)


def batches(events: Sequence[TaskEvent]) -> list[Sequence[TaskEvent]]:
    return [events[start : start + BATCH] for start in range(0, len(events), BATCH)]


def written(writer: Writer, events: Sequence[TaskEvent]) -> float:
    began = time.perf_counter()
    stored = sum(writer.write(batch).stored for batch in batches(events))
    assert stored == len(events)
    return len(events) / (time.perf_counter() - began)


def copied(connection: psycopg.Connection, events: Sequence[TaskEvent]) -> float:
    began = time.perf_counter()
    for batch in batches(events):
        with connection.transaction(), connection.cursor().copy("COPY bare FROM STDIN") as copy:
            copy.write("".join(rows.event_line(event, rows.event_row(event, 1, IDS), 1, 1) for event in batch))
    return len(events) / (time.perf_counter() - began)


def main(rounds: int = 3, tasks: int = 25_000) -> None:
    with tempfile.TemporaryDirectory(prefix="flower-bench-") as directory, Postgres(Path(directory)) as url:
        flower_migrations.upgrade(url)
        writer = Writer(StoreSettings(database_url=url), cluster="bench")
        writer.ensure_partitions(NOON)
        found: list[tuple[float, float]] = []
        with psycopg.connect(url, autocommit=True) as connection:
            columns = ", ".join(rows.EVENT_COLUMNS)
            connection.execute(f"CREATE TABLE bare AS SELECT {columns} FROM task_event".encode())
            for number in range(rounds):
                events = generated(number * tasks, tasks)
                found.append((written(writer, events), copied(connection, events)))
                print(f"write {found[-1][0]:>9,.0f} events/s   COPY {found[-1][1]:>9,.0f} events/s   "
                      f"ratio {found[-1][0] / found[-1][1]:.2f}", flush=True)  # fmt: skip
        writer.close()
    ours, bare = (statistics.median(rates) for rates in zip(*found, strict=True))
    print(f"median {ours:,.0f} events/s written, {bare:,.0f} copied; "
          f"ratio {statistics.median(a / b for a, b in found):.2f}")  # fmt: skip


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
