"""The merge rule a second time, in the words of the architecture: the oracle that the SQL is held against."""

from collections.abc import Iterable

from flower_store.events import TaskEvent

Key = tuple[object, ...]
Registers = dict[str, TaskEvent]

_NAMES = {
    "task-sent": "sent",
    "task-received": "received",
    "task-started": "started",
    "task-retried": "yielded",
    "task-cancelled": "yielded",
    "task-succeeded": "succeeded",
    "task-failed": "failed",
    "task-revoked": "revoked",
}


def time_key(event: TaskEvent) -> Key:
    return (event.at, event.clock, event.digest)


def registers(events: Iterable[TaskEvent]) -> Registers:
    kept: Registers = {}
    for event in events:
        name = _register(event)
        if name not in kept or _rank(name, event) > _rank(name, kept[name]):
            kept[name] = event
    return kept


def state(events: Iterable[TaskEvent]) -> str:
    return decided(events)[0]


def decided(events: Iterable[TaskEvent]) -> tuple[str, TaskEvent | None]:
    """The state, and the event that decided it; None where that is only that the task was sent."""
    kept = registers(events)
    if "succeeded" in kept:
        return "SUCCESS", kept["succeeded"]
    begun = [time_key(kept[name]) for name in ("started", "received") if name in kept]
    for names in (("failed", "revoked"), ("rejected",)):
        end = _latest(kept, names)
        if end is not None and all(key <= time_key(end) for key in begun):
            return {"failed": "FAILURE", "revoked": "REVOKED", "rejected": "REJECTED"}[_register(end)], end
    end = _latest(kept, ("failed", "revoked", "rejected"))
    return _unfinished({name: event for name, event in kept.items() if not _ended_before(event, end)} | _facts(kept))


def _unfinished(kept: Registers) -> tuple[str, TaskEvent | None]:
    started, yielded = kept.get("started"), kept.get("yielded")
    if started and (not yielded or time_key(started) > time_key(yielded) or _process(started) != _process(yielded)):
        return "STARTED", started
    if yielded and yielded.type == "task-retried":
        return "RETRY", yielded
    received = kept.get("received")
    if yielded and (received is None or time_key(yielded) > time_key(received)):
        return "REJECTED", yielded
    if received:
        return "RECEIVED", received
    return ("PENDING", None) if "sent" in kept else ("UNKNOWN", kept.get("custom"))


def _facts(kept: Registers) -> Registers:
    """What no end takes away: that the task was once received and sent."""
    return {name: kept[name] for name in ("received", "sent") if name in kept}


def _ended_before(event: TaskEvent, end: TaskEvent | None) -> bool:
    return end is not None and time_key(event) <= time_key(end)


def _latest(kept: Registers, names: Iterable[str]) -> TaskEvent | None:
    return max((kept[name] for name in names if name in kept), key=time_key, default=None)


def _register(event: TaskEvent) -> str:
    if event.type == "task-rejected":
        return "yielded" if event.fields.get("requeue") else "rejected"
    return _NAMES.get(event.type, "custom")


def _rank(name: str, event: TaskEvent) -> Key:
    retries = event.fields.get("retries", 0)
    return (retries, *time_key(event)) if name in {"sent", "received"} else time_key(event)


def _process(event: TaskEvent) -> tuple[str, int]:
    return (event.hostname, event.pid)
