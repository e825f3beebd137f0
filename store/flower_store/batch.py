"""One batch of task events into the tables, inside a transaction of the caller's.

The log is appended to by COPY, past any temporary table: which events are new is known before, because the merge has
locked every task of the batch and whoever logs an event locks its task first (`merge.LOGGED`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

import psycopg

from flower_store import copying, counting, event_types, horizon, merge, moments, packing, repeats, rows
from flower_store.counting import Logged
from flower_store.events import TaskEvent
from flower_store.fold import Folded, Mark

_BY_ID = attrgetter("id")
_WAITS = frozenset({event_types.SENT, event_types.RECEIVED, event_types.STARTED})


class _Merged:
    """A task's row after the merge: its number, its name's and queue's ids, what the log holds, and the batch's part.

    The batch's part is left as it is: who writes it again, after a broken connection, needs it whole.
    """

    __slots__ = ("folded", "id", "logged", "name_id", "queue_id", "sent")

    def __init__(self, folded: Folded) -> None:
        self.folded = folded
        self.id = self.name_id = self.queue_id = 0
        self.logged: list[Logged] = []
        self.sent = repeats.Sent()


@dataclass(frozen=True, slots=True)
class Appended:
    """Events that were new to the log, and those from before its horizon, which it does not take; what is still to be
    counted of them."""

    stored: int
    too_old: int
    tally: counting.Tally


def prepare(cursor: psycopg.Cursor) -> None:
    """Make the place for `append`, which needs no answer: in a pipeline."""
    cursor.execute(merge.TEMPORARY)


def append(cursor: psycopg.Cursor, cluster_id: int, folded: Mapping[str, Folded], found: rows.Ids) -> Appended:
    """Merge the tasks, log what is new."""
    incoming = [rows.task_row(task_id, task, found) for task_id, task in folded.items()]
    copying.send(cursor, merge.COPY_TASKS, [row for _, row in incoming])
    merged = {key: _Merged(task) for (key, _), task in zip(incoming, folded.values(), strict=True)}
    reached = _merge(cursor, cluster_id, merged)
    log = _Log(found, since=None if reached is None else moments.micros(reached))
    # In the order of the index, whose pages are then filled one after the other instead of split in halves.
    for task in sorted(merged.values(), key=_BY_ID):
        log.add(task)
    if log.rows:
        copying.send(cursor, merge.COPY_EVENTS, log.rows)
    return Appended(len(log.rows), log.too_old, log.tally)


def _merge(cursor: psycopg.Cursor, cluster_id: int, merged: Mapping[bytes, _Merged]) -> datetime | None:
    """Merge the tasks, and ask what the log holds of those that were there. Returns the log's horizon."""
    old: dict[int, _Merged] = {}
    since: datetime | None = None
    connection = cursor.connection
    with connection.pipeline():
        cursor.execute(merge.MERGE_TASKS, {"cluster": cluster_id}, binary=True)
        asked = horizon.ask(connection)
    for key, row_id, name_id, queue_id, seen_at, new in cursor:
        task = merged[key]
        task.id, task.name_id, task.queue_id = row_id, name_id, queue_id
        if not new:
            old[row_id] = task
            since = seen_at if since is None else min(since, seen_at)
    if old:
        until = moments.moment(max(task.folded.last for task in merged.values()))
        parameters = {"ids": list(old), "since": since, "until": until}
        for row_id, at, digest, code, worker_id, name_id, fields in cursor.execute(
            merge.LOGGED, parameters, binary=True
        ):
            task = old[row_id]
            eta = fields is not None and packing.has_eta(code, fields)
            micros = moments.micros(at)
            task.logged.append(Logged(micros, digest, code, worker_id, name_id, eta))
            if code == event_types.SENT and fields is not None:
                task.sent.known(micros, name_id, fields)
    return horizon.answered(asked)


class _Log:
    """The rows of events that are new to the log, and their counts."""

    def __init__(self, found: rows.Ids, *, since: int | None) -> None:
        """`since` is the log's horizon in microseconds; None while there is none."""
        self._found = found
        self._since = since
        self.rows: list[bytes] = []
        self.too_old = 0
        self.tally = counting.Tally()

    def add(self, task: _Merged) -> None:
        """Take the events of one task."""
        found, since = self._found, self._since
        known = {(one.at, one.digest) for one in task.logged}
        waiting: list[Logged] = []
        for mark, event in _sent_first(task.folded.events):
            if since is not None and event.micros < since:
                self.too_old += 1
                continue
            if mark in known:
                continue
            row, packed = rows.logged(event, task.name_id, found, task.sent)
            self.rows.append(rows.event_row(event, row, packed, task.id))
            self.tally.event(row, rows.type_name(event, row, found), event.fields, queue_id=task.queue_id)
            if row.code in _WAITS:
                waiting.append(row)
            elif row.code == event_types.FAILED:
                self.tally.failure(row, found.groups[rows.failure_mark(event)])
        if waiting:
            before = counting.wait(task.logged) if task.logged else None
            self.tally.wait(before, counting.wait([*task.logged, *waiting]), queue_id=task.queue_id)


def _sent_first(events: Mapping[Mark, TaskEvent]) -> Iterable[tuple[Mark, TaskEvent]]:
    """What received events repeat stands before them, as it nearly always comes."""
    if next(iter(events.values())).type == "task-sent":
        return events.items()
    return sorted(events.items(), key=lambda marked: marked[1].type != "task-sent")
