"""One batch of task events into the tables, inside a transaction of the caller's.

The log is appended to by COPY, past any temporary table: which events are new is known before, because the merge has
locked every task of the batch and whoever logs an event locks its task first (`merge.LOGGED`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from flower_store import counting, event_types, fold, horizon, ids, merge, rows
from flower_store.counting import Logged
from flower_store.events import TaskEvent

_WAITS = frozenset({event_types.SENT, event_types.RECEIVED, event_types.STARTED})

_Mark = tuple[datetime, int]


class _Merged:
    """A task's row after the merge: its number, its name's id, and what the log holds of it already."""

    __slots__ = ("id", "logged", "name_id")

    def __init__(self, row_id: int, name_id: int) -> None:
        self.id = row_id
        self.name_id = name_id
        self.logged: list[Logged] = []


@dataclass(frozen=True, slots=True)
class Appended:
    """Events that were new to the log, and those from before its horizon, which it does not take."""

    stored: int
    too_old: int = 0


def write(
    cursor: psycopg.Cursor,
    cluster_id: int,
    events: Sequence[TaskEvent],
    folded: Mapping[str, fold.Folded],
    found: rows.Ids,
) -> Appended:
    """Merge the tasks, log and count what is new. No event may come twice."""
    cursor.execute(merge.TEMPORARY)
    _copy(cursor, merge.COPY_TASKS, [rows.task_line(task_id, task, found) for task_id, task in folded.items()])
    merged = _merge(cursor, cluster_id, events, folded)
    # Asked after the merge, whose locks the one who moves the horizon waits for.
    reached = horizon.read(cursor)
    recent = events if reached is None else [event for event in events if event.at >= reached]
    fresh = _fresh(recent, merged)
    tally = counting.Tally()
    _copy(cursor, merge.COPY_EVENTS, _lines(fresh, merged, cluster_id, found, tally))
    tally.write(cursor, cluster_id)
    return Appended(stored=sum(map(len, fresh.values())), too_old=len(events) - len(recent))


def _merge(
    cursor: psycopg.Cursor, cluster_id: int, events: Sequence[TaskEvent], folded: Mapping[str, fold.Folded]
) -> dict[str, _Merged]:
    by_key = {ids.key_text(task_id): task_id for task_id in folded}
    merged: dict[str, _Merged] = {}
    old: dict[int, _Merged] = {}
    since: datetime | None = None
    for key, row_id, name_id, seen_at, new in cursor.execute(merge.MERGE_TASKS, {"cluster": cluster_id}):
        task = merged[by_key[key]] = _Merged(row_id, name_id)
        if not new:
            old[row_id] = task
            since = seen_at if since is None else min(since, seen_at)
    if old:
        until = max(event.at for event in events)
        parameters = {"ids": list(old), "since": since, "until": until}
        for row_id, *logged in cursor.execute(merge.LOGGED, parameters):
            old[row_id].logged.append(Logged(*logged))
    return merged


def _fresh(events: Iterable[TaskEvent], merged: Mapping[str, _Merged]) -> Mapping[str, list[TaskEvent]]:
    known: dict[str, set[_Mark]] = {
        task_id: {(one.at, one.digest) for one in task.logged} for task_id, task in merged.items() if task.logged
    }
    fresh: defaultdict[str, list[TaskEvent]] = defaultdict(list)
    for event in events:
        marks = known.get(event.task_id)
        if marks is None or (event.at, event.digest) not in marks:
            fresh[event.task_id].append(event)
    return fresh


def _lines(
    fresh: Mapping[str, list[TaskEvent]],
    merged: Mapping[str, _Merged],
    cluster_id: int,
    found: rows.Ids,
    tally: counting.Tally,
) -> list[str]:
    """The log's lines of new events, which are counted on the way."""
    lines: list[str] = []
    for task_id, events in fresh.items():
        task = merged[task_id]
        waiting: list[Logged] = []
        for event in events:
            row = rows.event_row(event, task.name_id, found)
            lines.append(rows.event_line(event, row, cluster_id, task.id))
            tally.event(row, rows.type_name(event, row, found), event.fields)
            if row.code in _WAITS:
                waiting.append(row)
        if waiting:
            before = counting.wait(task.logged) if task.logged else None
            tally.wait(before, counting.wait([*task.logged, *waiting]))
    return lines


def _copy(cursor: psycopg.Cursor, statement: bytes, lines: Sequence[str]) -> None:
    if lines:
        with cursor.copy(statement) as copy:
            copy.write("".join(lines))
