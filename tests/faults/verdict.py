"""The end of a run under faults: what the store holds, against what was published (set algebra on the events' times).

`acknowledged` events must all be there. An event that was attempted and never confirmed may be there (`recovered`) or
not; what was not attempted must not be. Rows and rollups must be those of exactly the events that are in the log.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from tests.faults.load import Published
from tests.store import recount, reference

from flower_store.events import TaskEvent

REGISTERS = ("sent", "received", "started", "yielded", "succeeded", "failed")
Connection = psycopg.Connection[Any]
Row = tuple[str, *tuple[datetime | None, ...]]

LOGGED = "SELECT at FROM task_event"
ROWS = "SELECT key, state, {} FROM task".format(", ".join(f"{name}_at" for name in REGISTERS))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Numbers of events and of wrong task rows; the rollups and histograms that are not what the log says."""

    attempted: int
    acknowledged: int
    recovered: int
    lost: int
    duplicated: int
    unexpected: int
    wrong_rows: int
    miscounted: tuple[str, ...]

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.unexpected or self.wrong_rows or self.miscounted)


def judge(database_url: str, published: Published) -> Verdict:
    """Look at the store after everything has come to rest."""
    with psycopg.connect(database_url) as connection:
        return _judged(connection, published)


def _judged(connection: Connection, published: Published) -> Verdict:
    logged = Counter(at for (at,) in connection.execute(LOGGED))
    there = [event for at, event in published.attempted.items() if at in logged]
    return Verdict(
        attempted=len(published.attempted),
        acknowledged=len(published.confirmed),
        recovered=len(there) - len(published.confirmed & logged.keys()),
        lost=len(published.confirmed - logged.keys()),
        duplicated=logged.total() - len(logged),
        unexpected=len(logged.keys() - published.attempted.keys()),
        wrong_rows=_differing(_rows_of(connection), _expected_rows(there)),
        miscounted=tuple(recount.differences(connection)),
    )


def _rows_of(connection: Connection) -> dict[UUID, Row]:
    return {key: tuple(row) for key, *row in connection.execute(ROWS.encode())}


def _differing(found: dict[UUID, Row], expected: dict[UUID, Row]) -> int:
    return sum(found.get(key) != expected.get(key) for key in found.keys() | expected.keys())


def _expected_rows(events: list[TaskEvent]) -> dict[UUID, Row]:
    tasks: defaultdict[str, list[TaskEvent]] = defaultdict(list)
    for event in events:
        tasks[event.task_id].append(event)
    return {UUID(task_id): _row(history) for task_id, history in tasks.items()}


def _row(history: list[TaskEvent]) -> Row:
    kept = reference.registers(history)
    return (reference.state(history), *(kept[name].at if name in kept else None for name in REGISTERS))
