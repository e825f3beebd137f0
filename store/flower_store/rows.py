"""Folded tasks and events as rows of COPY's binary form, in the order of their columns.

A row is put together from a few pieces: building a tuple of sixty values for each task, and handing it to the
driver, took a third of the writing time.
"""

from collections.abc import Callable, Mapping
from struct import Struct

from flower_store import copying, dimensions, event_types, fold, ids, moments, packing, registers, repeats
from flower_store.copying import NULL
from flower_store.counting import Logged
from flower_store.events import TaskEvent
from flower_store.fold import Folded

TASK_COLUMNS = (
    "key", "id_text", "seen_at", "last_at", *registers.DESCRIPTION,
    *(column for register in registers.ALL for column in register.columns),
)  # fmt: skip
EVENT_COLUMNS = (
    "at", "clock", "task_id", "digest", "worker_id", "pid", "lag", "name_id", "type", "fields",
)  # fmt: skip

_TASK = copying.row(len(TASK_COLUMNS))
_times = Struct(">iqiq").pack
_event = Struct(">hiqiqiqiiiiiiifiiihi").pack
_key = Struct(">iqiqii").pack
_key_by_retries = Struct(">iiiqiqii").pack
_EPOCH = moments.POSTGRES_EPOCH


FailureMark = tuple[str, int, int]


def failure_mark(event: TaskEvent) -> FailureMark:
    """What tells one failure of a batch from all others."""
    return event.task_id, event.micros, event.digest


class Ids:
    """The small ids of the names in one batch; `overflow` holds those that stand for more than one name.

    `groups` has the error group of each failure by `failure_mark`.
    """

    __slots__ = ("groups", "names", "overflow", "queues", "types", "workers")

    def __init__(
        self,
        *,
        names: Mapping[str, int],
        queues: Mapping[str, int],
        workers: Mapping[str, int],
        types: Mapping[str, int],
        overflow: Mapping[str, int],
        groups: Mapping[FailureMark, int],
    ) -> None:
        self.names = names
        self.queues = queues
        self.workers = workers
        self.types = types
        self.overflow = overflow
        self.groups = groups


def task_row(task_id: str, folded: Folded, found: Ids) -> tuple[bytes, bytes]:
    """The task's key, and one row for `incoming_task`."""
    key, odd_text = ids.key_and_text(task_id)
    described = folded.described
    pieces = [
        _TASK, copying.data(key), copying.text(odd_text),
        _times(8, folded.seen - _EPOCH, 8, folded.last - _EPOCH),
        _NO_DESCRIPTION if described is None else _description(task_id, described, found),
    ]  # fmt: skip
    for winner, (nothing, key_of, payload) in zip(folded.winners, _PARTS, strict=True):
        if winner is None:
            pieces.append(nothing)
        else:
            parts, event = winner
            pieces.append(key_of(parts))
            pieces.append(payload(event, found))
    return key, b"".join(pieces)


def logged(event: TaskEvent, name_id: int, found: Ids, sent: repeats.Sent) -> tuple[Logged, bytes]:
    """What counts of an event, and its packed fields. It counts under its own name, or else under the task's.

    Whoever is not among the named by small ids (its name was one too many) is told by the fields. `sent` are the task's
    sent events so far.
    """
    code = event_types.CODES.get(event.type) or found.types[event.type]
    worker = 0 if code == event_types.SENT else found.workers[event.hostname]
    fields, overflow = event.fields, found.overflow
    named = eta = False
    if code in packing.NAMED:
        eta = fields.get("eta") is not None
        name = fold.text(fields, "name")
        if name:
            name_id = found.names[name]
            named = name_id != overflow["name"] and name is fields["name"]
    if code == overflow["type"] or (worker and worker == overflow["worker"]):
        packed = packing.packed(code, event.task_id, {**fields, **_hidden(event, code, overflow)}, named=named)
    elif code == event_types.RECEIVED and named and (repeated := sent.repeated(event, name_id)) is not None:
        packed = repeated
    else:
        packed = packing.packed(code, event.task_id, fields, named=named)
        if code == event_types.SENT:
            packed = sent.added(event, name_id, packed)
    return Logged(event.micros, event.digest, code, worker, name_id, eta), packed


def event_row(event: TaskEvent, row: Logged, packed: bytes, task_id: int) -> bytes:
    """One row for `task_event`; `task_id` is the number of the task's row, not its id at Celery."""
    at = event.micros
    lag = (event.received - at) / moments.SECOND
    return (
        _event(
            10, 8, at - _EPOCH, 8, event.clock, 8, task_id, 4, row.digest, 4, row.worker_id, 4, event.pid, 4, lag,
            4, row.name_id, 2, row.code, len(packed),
        )
        + packed
    )  # fmt: skip


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


def _key_part(parts: fold.Key) -> bytes:
    at, clock, digest = parts
    return _key(8, at - _EPOCH, 8, clock, 4, digest)


def _key_part_by_retries(parts: fold.Key) -> bytes:
    retries, at, clock, digest = parts
    return _key_by_retries(4, retries, 8, at - _EPOCH, 8, clock, 4, digest)


def _field(fields: Mapping[str, object], name: str) -> bytes:
    return copying.text(fold.text(fields, name))


def _description(task_id: str, event: TaskEvent, found: Ids) -> bytes:
    fields = event.fields
    name = fold.text(fields, "name")
    due_at = fold.due_at(fields)
    return b"".join(
        (
            copying.integer(found.names[name]) if name else NULL,
            _field(fields, "args"),
            _field(fields, "kwargs"),
            _field(fields, "eta"),
            _field(fields, "expires"),
            NULL if due_at is None else copying.time(moments.micros(due_at)),
            _root(task_id, fold.relation(task_id, fields, "root_id")),
            _related(fold.relation(task_id, fields, "parent_id")),
        )
    )


def _root(task_id: str, root_id: str | None) -> bytes:
    return _ITSELF if root_id == task_id else _related(root_id)


def _related(task_id: str | None) -> bytes:
    if task_id is None:
        return NULL + NULL
    key, odd_text = ids.key_and_text(task_id)
    return copying.data(key) + copying.text(odd_text)


def _sent(event: TaskEvent, found: Ids) -> bytes:
    fields = event.fields
    queue = fold.text(fields, "queue")
    queue_id = copying.integer(found.queues[queue]) if queue else NULL
    return queue_id + _field(fields, "exchange") + _field(fields, "routing_key") + copying.text(event.hostname)


def _worker(event: TaskEvent, found: Ids) -> bytes:
    return copying.integer(found.workers[event.hostname])


def _started(event: TaskEvent, found: Ids) -> bytes:
    return _worker(event, found) + copying.integer(event.pid)


def _yielded(event: TaskEvent, found: Ids) -> bytes:
    return _started(event, found) + copying.text(event.type) + _error(event)


def _succeeded(event: TaskEvent, found: Ids) -> bytes:
    fields = event.fields
    return _worker(event, found) + _field(fields, "result") + copying.double(fold.number(fields, "runtime"))


def _failed(event: TaskEvent, found: Ids) -> bytes:
    return _worker(event, found) + _error(event) + copying.integer(found.groups[failure_mark(event)])


def _error(event: TaskEvent) -> bytes:
    return _field(event.fields, "exception") + _field(event.fields, "traceback")


def _revoked(event: TaskEvent, found: Ids) -> bytes:
    fields = event.fields
    flags = (copying.boolean(fold.flag(fields, name)) for name in ("terminated", "expired"))
    return b"".join((_worker(event, found), *flags, _field(fields, "signum")))


def _custom(event: TaskEvent, found: Ids) -> bytes:
    return _worker(event, found) + copying.text(event.type) + copying.jsonb(packing.encoded(event.fields))


_PAYLOADS: Mapping[str, Callable[[TaskEvent, Ids], bytes]] = {
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

_ITSELF = NULL + copying.text("")
_NO_DESCRIPTION = NULL * len(registers.DESCRIPTION)
_PARTS = tuple(
    (
        NULL * len(register.columns),
        _key_part_by_retries if register.by_retries else _key_part,
        _PAYLOADS[register.name],
    )
    for register in registers.ALL
)
