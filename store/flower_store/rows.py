"""Folded tasks and events as lines of COPY's text form, in the order of their columns.

A line is put together from a few pieces: building a tuple of sixty values for each task, and handing it to the
driver, took a third of the writing time.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from flower_store import dimensions, event_types, fold, ids, packing, registers
from flower_store.counting import Logged
from flower_store.events import TaskEvent
from flower_store.fold import Folded

TASK_COLUMNS = (
    "key", "id_text", "seen_at", "last_at", "last_clock", *registers.DESCRIPTION,
    *(column for register in registers.ALL for column in register.columns),
)  # fmt: skip
EVENT_COLUMNS = (
    "at", "clock", "task_id", "digest", "worker_id", "pid", "lag", "name_id", "cluster_id", "type", "fields",
)  # fmt: skip

NULL = "\\N"
_SPECIAL = re.compile(r"[\\\n\r\t]")
_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


class Ids:
    """The small ids of the names in one batch; `overflow` holds those that stand for more than one name."""

    __slots__ = ("names", "overflow", "queues", "types", "workers")

    def __init__(
        self,
        *,
        names: Mapping[str, int],
        queues: Mapping[str, int],
        workers: Mapping[str, int],
        types: Mapping[str, int],
        overflow: Mapping[str, int],
    ) -> None:
        self.names = names
        self.queues = queues
        self.workers = workers
        self.types = types
        self.overflow = overflow


def task_line(task_id: str, folded: Folded, found: Ids) -> str:
    """One line for `incoming_task`."""
    at, clock = folded.last
    pieces = [f"{ids.key_text(task_id)}\t{_text(ids.odd_text(task_id))}\t{folded.seen_at}\t{at}\t{clock}"]
    described = folded.described
    pieces.append(_NO_DESCRIPTION if described is None else _description(task_id, described, found))
    winners = folded.winners
    for name, nothing, payload in _PARTS:
        winner = winners.get(name)
        if winner is None:
            pieces.append(nothing)
            continue
        key_parts, event = winner
        pieces.append("\t".join(map(str, key_parts)))
        pieces.append(payload(event, found))
    return "\t".join(pieces) + "\n"


def event_row(event: TaskEvent, name_id: int, found: Ids) -> Logged:
    """What the log holds of an event but its line. It counts under the name that it tells itself, or else the task's.

    Whoever is not among the named by small ids (its name was one too many) is told by `fields`.
    """
    code = event_types.CODES.get(event.type) or found.types[event.type]
    worker = 0 if code == event_types.SENT else found.workers[event.hostname]
    fields, overflow = event.fields, found.overflow
    named = False
    if code in packing.NAMED:
        name = fold.text(fields, "name")
        if name:
            name_id = found.names[name]
            named = name_id != overflow["name"]
    if code == overflow["type"] or (worker and worker == overflow["worker"]):
        fields = {**fields, **_hidden(event, code, overflow)}
    text = packing.packed(code, event.task_id, fields, named=named)
    return Logged(event.at, event.digest, code, worker, name_id, text)


def event_line(event: TaskEvent, row: Logged, cluster_id: int, task_id: int) -> str:
    """One line for `task_event`; `task_id` is the number of the task's row, not its id at Celery."""
    return (
        f"{row.at}\t{event.clock}\t{task_id}\t{row.digest}\t{row.worker_id}\t{event.pid}"
        f"\t{(event.received_at - row.at).total_seconds()}\t{row.name_id}"
        f"\t{cluster_id}\t{row.code}\t{_text(row.fields)}\n"
    )


def type_name(event: TaskEvent, row: Logged, found: Ids) -> str:
    """The type under which an event is counted."""
    return dimensions.OVERFLOW if row.code == found.overflow["type"] else event.type


def _hidden(event: TaskEvent, code: int, overflow: Mapping[str, int]) -> dict[str, object]:
    """What the row's columns do not say."""
    hidden: dict[str, object] = {}
    if code == overflow["type"]:
        hidden["type"] = event.type
    if code != event_types.SENT:
        hidden["hostname"] = event.hostname
    return hidden


def _text(value: str | None) -> str:
    if value is None:
        return NULL
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


def _value(value: float | datetime | bool | None) -> str:
    return NULL if value is None else str(value)


def _field(fields: Mapping[str, object], name: str) -> str:
    return _text(fold.text(fields, name))


def _description(task_id: str, event: TaskEvent, found: Ids) -> str:
    fields = event.fields
    name = fold.text(fields, "name")
    return "\t".join(
        (
            str(found.names[name]) if name else NULL,
            _field(fields, "args"),
            _field(fields, "kwargs"),
            _field(fields, "eta"),
            _field(fields, "expires"),
            _value(fold.due_at(fields)),
            *_related(fold.relation(task_id, fields, "root_id")),
            *_related(fold.relation(task_id, fields, "parent_id")),
        )
    )


def _related(task_id: str | None) -> tuple[str, str]:
    if task_id is None:
        return NULL, NULL
    return ids.key_text(task_id), _text(ids.odd_text(task_id))


def _sent(event: TaskEvent, found: Ids) -> str:
    fields = event.fields
    queue = fold.text(fields, "queue")
    queue_id = str(found.queues[queue]) if queue else NULL
    routed = f"{_field(fields, 'exchange')}\t{_field(fields, 'routing_key')}"
    return f"{queue_id}\t{routed}\t{_text(event.hostname)}"


def _worker(event: TaskEvent, found: Ids) -> str:
    return str(found.workers[event.hostname])


def _started(event: TaskEvent, found: Ids) -> str:
    return f"{found.workers[event.hostname]}\t{event.pid}"


def _yielded(event: TaskEvent, found: Ids) -> str:
    fields = event.fields
    return (
        f"{found.workers[event.hostname]}\t{event.pid}\t{event.type}"
        f"\t{_field(fields, 'exception')}\t{_field(fields, 'traceback')}"
    )


def _succeeded(event: TaskEvent, found: Ids) -> str:
    runtime = _value(fold.number(event.fields, "runtime"))
    return f"{found.workers[event.hostname]}\t{_field(event.fields, 'result')}\t{runtime}"


def _failed(event: TaskEvent, found: Ids) -> str:
    fields = event.fields
    return f"{found.workers[event.hostname]}\t{_field(fields, 'exception')}\t{_field(fields, 'traceback')}"


def _revoked(event: TaskEvent, found: Ids) -> str:
    fields = event.fields
    terminated, expired = (_value(fold.flag(fields, name)) for name in ("terminated", "expired"))
    return f"{found.workers[event.hostname]}\t{terminated}\t{expired}\t{_field(fields, 'signum')}"


def _custom(event: TaskEvent, found: Ids) -> str:
    fields = packing.encoded(event.fields)
    return f"{found.workers[event.hostname]}\t{_text(event.type)}\t{_text(fields)}"


_PAYLOADS: Mapping[str, Callable[[TaskEvent, Ids], str]] = {
    "sent": _sent,
    "received": _worker,
    "started": _started,
    "yielded": _yielded,
    "succeeded": _succeeded,
    "failed": _failed,
    "revoked": _revoked,
    "rejected": _worker,
    "custom": _custom,
}

_NO_DESCRIPTION = "\t".join([NULL] * len(registers.DESCRIPTION))
_PARTS = tuple(
    (register.name, "\t".join([NULL] * len(register.columns)), _PAYLOADS[register.name]) for register in registers.ALL
)
