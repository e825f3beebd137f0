"""One event's bytes as a typed event. Pure, and a gate: nothing that it lets through can break the store.

The fields are those of Celery's monitoring guide, "Event Reference"; the bounds answer the hostile messages of
`docs/architecture.md`, "The gate".
"""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zlib import crc32

import msgspec

from flower_collector import cleaning, probe
from flower_collector.reasons import Refused
from flower_store import moments
from flower_store.events import MAX_NAME, MAX_TASK_ID, TaskEvent, WorkerEvent
from flower_store.reasons import Reason

EARLIEST = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
"""No Celery is older. A clock that has never been set says 1970."""

LATEST_AHEAD = timedelta(days=3653)
"""How far ahead of ours a sender's clock may be before its time is taken for garbage."""

LARGEST_CLOCK = 2**62
"""One heartbeat with a clock of 10^30 makes genuine workers adopt it (Celery): those events must land."""

WORKER_TYPES = frozenset({"worker-online", "worker-heartbeat", "worker-offline"})

_NAMES = {"task-sent": ("name", "queue"), "task-received": ("name",)}
"""The fields that get an id of their own in the store, by event type."""

_LARGEST_INT = 2**31 - 1
_LARGEST_RUNTIME = 1e9
_LARGEST_LOAD = 1e9
_LARGEST_FREQ = 86_400.0
_LARGEST_UTCOFFSET = 48.0
_LOADS = 3
_NUMBER = (int, float)
_json = msgspec.json.Decoder().decode
_LATEST_AHEAD = int(LATEST_AHEAD.total_seconds())


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """An event; None where it is of a kind that is not kept (`worker-elect` and other talk among workers).

    `changed` are the reasons why the original should be kept beside it.
    """

    event: TaskEvent | WorkerEvent | None
    changed: frozenset[Reason] = frozenset()
    clock_clamped: bool = False


class IsProbe(Exception):
    """It is no worker's event but a collector's probe. Raised to the gate alone."""


_UNCHANGED: frozenset[Reason] = frozenset()
_NOT_KEPT = Decoded(None)


def decode(raw: bytes, *, received: int) -> Decoded:
    """The event in these bytes, received at that microsecond of the Unix epoch; raises Refused, IsProbe."""
    fields, doubtful = _parse(raw)
    event_type = _name(fields, "type")
    if event_type.startswith("task-") and event_type != "task-":
        make: Callable[[_Parts], TaskEvent | WorkerEvent] = _task_event
    elif event_type in WORKER_TYPES:
        make = _worker_event
    elif event_type.startswith("worker-"):
        return _NOT_KEPT
    elif event_type == probe.TYPE:
        raise IsProbe
    else:
        raise Refused(Reason.UNKNOWN_TYPE, f"no event of Celery's: {event_type[:100]!r}")
    return _decode(make, raw, fields, event_type, doubtful=doubtful, received=received)


class _Parts(msgspec.Struct):
    """The fields common to all events, taken out of `fields`, which keeps the rest."""

    raw: bytes
    type: str
    hostname: str
    pid: int
    at: int
    clock: int
    received: int
    task_id: str
    fields: dict[str, object]
    changed: set[Reason]


def _decode(
    make: Callable[[_Parts], TaskEvent | WorkerEvent],
    raw: bytes,
    fields: dict[str, object],
    event_type: str,
    *,
    doubtful: bool,
    received: int,
) -> Decoded:
    hostname = _name(fields, "hostname")
    task_id = _task_id(fields) if make is _task_event else ""
    at = _time(fields.pop("timestamp", None), received)
    clock, clamped = _clock(fields.pop("clock", None))
    pid = _whole(fields.pop("pid", None), _LARGEST_INT) or 0
    del fields["type"], fields["hostname"]
    for name in _NAMES.get(event_type, ()):
        if fields.get(name) is not None:
            _name(fields, name)
    changed: set[Reason] = set()
    if doubtful:
        cleaner = cleaning.Cleaner()
        fields, changed = cleaner.fields(fields), cleaner.changed
    parts = _Parts(raw, event_type, hostname, pid, at, clock, received, task_id, fields, changed)
    event = make(parts)
    return Decoded(event, frozenset(changed) if changed else _UNCHANGED, clamped)


def _task_event(parts: _Parts) -> TaskEvent:
    fields = parts.fields
    # Information on the sender's clock, never applied; kept with the worker, not a hundred times with its tasks.
    fields.pop("utcoffset", None)
    _bound_runtime(fields, parts.changed)
    return TaskEvent(
        type=parts.type,
        task_id=parts.task_id,
        hostname=parts.hostname,
        pid=parts.pid,
        micros=parts.at,
        clock=parts.clock,
        digest=digest(parts.raw),
        received=parts.received,
        fields=fields,
    )


def _worker_event(parts: _Parts) -> WorkerEvent:
    fields = parts.fields
    return WorkerEvent(
        type=parts.type,
        hostname=parts.hostname,
        pid=parts.pid,
        at=moments.moment(parts.at),
        clock=parts.clock,
        received_at=moments.moment(parts.received),
        freq=_real(fields.get("freq"), _LARGEST_FREQ),
        active=_whole(fields.get("active"), _LARGEST_INT),
        processed=_whole(fields.get("processed"), LARGEST_CLOCK),
        loadavg=_loads(fields.get("loadavg")),
        sw_ident=_short(fields.get("sw_ident")),
        sw_ver=_short(fields.get("sw_ver")),
        sw_sys=_short(fields.get("sw_sys")),
        utcoffset=_real(fields.get("utcoffset"), _LARGEST_UTCOFFSET),
    )


def digest(raw: bytes) -> int:
    """A signed 32-bit hash of an event's bytes: the same event delivered again has the same one.

    It only tells events of one task at one microsecond apart.
    """
    return crc32(raw) - 2**31


def _parse(raw: bytes) -> tuple[dict[str, object], bool]:
    """The object, and whether its values need cleaning before a database may see them."""
    try:
        value = _json(raw)
        doubtful = _looks_doubtful(raw)
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "nested too deeply to be read") from None
    except ValueError:
        # NaN and lone surrogates are not JSON, but Python's encoder writes them, so Celery sends them.
        value = _parse_leniently(raw)
        doubtful = True
    if not isinstance(value, dict):
        raise Refused(Reason.NOT_AN_EVENT, f"an event is an object, this is {_kind(value)}")
    return value, doubtful


def _looks_doubtful(raw: bytes) -> bool:
    # The search for one byte is many times as fast, and few events hold it.
    return (
        (b"\\" in raw and b"\\u0000" in raw)
        or len(raw) > cleaning.MAX_TEXT
        or raw.count(b"{") + raw.count(b"[") > cleaning.MAX_DEPTH
    )


def _parse_leniently(raw: bytes) -> object:
    try:
        value: object = json.loads(raw.decode())
    except UnicodeDecodeError:
        raise Refused(Reason.NOT_UTF8, "its text is not UTF-8") from None
    except RecursionError:
        raise Refused(Reason.TOO_DEEP, "nested too deeply to be read") from None
    except ValueError as error:
        raise Refused(Reason.NOT_JSON, f"not JSON: {error}") from None
    return value


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "a number"


def _name(fields: dict[str, object], field: str) -> str:
    """A field that names something, for which no replacement would do."""
    return _identity(fields, field, MAX_NAME, Reason.NAME_TOO_LONG)


def _task_id(fields: dict[str, object]) -> str:
    task_id = _identity(fields, "uuid", MAX_TASK_ID, Reason.TASK_ID_TOO_LONG)
    del fields["uuid"]
    return task_id


def _identity(fields: dict[str, object], field: str, most: int, too_long: Reason) -> str:
    value = fields.get(field)
    if not value and (value is None or value == ""):
        raise Refused(Reason.MISSING_FIELD, f"{field} is missing")
    if not isinstance(value, str):
        raise Refused(Reason.WRONG_FIELD, f"{field} must be text, this is {_kind(value)}")
    if len(value) > most:
        raise Refused(too_long, f"{field} has {len(value)} characters, {most} are allowed")
    if value.isascii() and "\0" not in value:
        return value
    if "\0" in value:
        raise Refused(Reason.NUL, f"{field} holds a NUL byte")
    if cleaning.has_surrogate(value):
        raise Refused(Reason.SURROGATE, f"{field} holds half of a character")
    return value


def _time(value: object, received: int) -> int:
    """Microseconds, rounded as `datetime.fromtimestamp` rounds them."""
    if not isinstance(value, float):
        if value is None:
            raise Refused(Reason.MISSING_FIELD, "timestamp is missing")
        if not isinstance(value, int) or isinstance(value, bool):
            raise Refused(Reason.WRONG_FIELD, f"timestamp must be a number, this is {_kind(value)}")
    elif not math.isfinite(value):
        raise Refused(Reason.NOT_FINITE, f"timestamp is {value}")
    if not EARLIEST <= value <= received // moments.SECOND + _LATEST_AHEAD:
        raise Refused(Reason.TIMESTAMP_RANGE, "timestamp is before 2000 or over ten years ahead")
    whole = int(value)
    return whole * moments.SECOND + round((value - whole) * moments.SECOND)


def _clock(value: object) -> tuple[int, bool]:
    """The clock, and whether a senseless one had to be put to 0. A sender without a clock has none to lose."""
    if value is None:
        return 0, False
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_CLOCK:
        return value, False
    return 0, True


def _bound_runtime(fields: dict[str, object], changed: set[Reason]) -> None:
    """Drop a runtime that would overflow sums of runtimes; null and absent ones are fine (Celery 5.7)."""
    value = fields.get("runtime")
    if value is not None and isinstance(value, _NUMBER) and not 0 <= value <= _LARGEST_RUNTIME:
        fields["runtime"] = None
        changed.add(Reason.NUMBER_DROPPED)


def _whole(value: object, most: int) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    return None


def _real(value: object, most: float) -> float | None:
    if isinstance(value, _NUMBER) and not isinstance(value, bool) and -most <= value <= most:
        return float(value)
    return None


def _loads(value: object) -> tuple[float, ...]:
    if not isinstance(value, list):
        return ()
    loads = [_real(load, _LARGEST_LOAD) for load in value[:_LOADS]]
    return tuple(load for load in loads if load is not None)


def _short(value: object) -> str | None:
    """A text to show, such as a version; cleaned, as nothing is identified by it."""
    if not isinstance(value, str):
        return None
    return value[:MAX_NAME].replace("\0", cleaning.NUL_SHOWN).encode(errors="replace").decode()
