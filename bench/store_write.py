"""How fast batches become rows: Writer.write against a bare COPY of the same events, side by side in one run.

PostgreSQL is the embedded one with fsync on, as a user has it.
"""

import random
import time
from collections.abc import Sequence
from uuid import UUID

import msgspec
import psycopg

from bench.load import content
from bench.stage import servers
from bench.stage.options import Options
from bench.stage.report import Report
from flower_store import copying, repeats, rows
from flower_store.events import TaskEvent
from flower_store.factories import NOON, a_success, an_event
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

BATCH = 4_000
IDS = rows.Ids(
    names={"app.add": 1},
    queues={},
    workers={"celery@a": 1},
    types={},
    overflow={"name": -1, "worker": -1, "type": -1},
    groups={},
)


def generated(first: int, tasks: int, *, failing: float = 0.0) -> list[TaskEvent]:
    """Four events a task, in the order in which a cluster of twenty concurrent tasks sends them."""
    draw = random.Random(first)
    events: list[TaskEvent] = []
    for number in range(first, first + tasks):
        story = a_success(str(UUID(int=number)), number / 1000)
        if draw.random() < failing:
            told = content.failure(draw)
            story[-1] = msgspec.structs.replace(
                an_event("failed", number / 1000 + 3, task_id=story[0].task_id), fields=told
            )
        events += story
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
        with connection.transaction(), connection.cursor() as cursor:
            lines = [rows.event_row(event, *rows.logged(event, 1, IDS, repeats.Sent()), 1) for event in batch]
            copying.send(cursor, b"COPY bare FROM STDIN (FORMAT BINARY)", lines)
    return len(events) / (time.perf_counter() - began)


def main(options: Options) -> None:
    report = Report("store_write", options)
    tasks = options.choose(quick=5_000, medium=25_000, full=100_000)
    with servers.postgres() as server, servers.database(server) as url:
        writer = Writer(StoreSettings(database_url=url), cluster="bench")
        writer.ensure_partitions(NOON)
        with psycopg.connect(url, autocommit=True) as connection:
            columns = ", ".join(rows.EVENT_COLUMNS)
            connection.execute(f"CREATE TABLE bare AS SELECT {columns} FROM task_event".encode())
            for number in range(options.runs):
                events = generated(number * tasks, tasks)
                report.add("Writer.write", written(writer, events), of=("COPY",))
                failing = generated((options.runs + number) * tasks, tasks, failing=0.1)
                report.add("Writer.write, a tenth of the tasks fails", written(writer, failing))
                report.add("COPY", copied(connection, events))
        writer.close()
    report.finish()
