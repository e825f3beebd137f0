"""What may be asked by `POST …/commands`: a kind of document for each of Celery's remote controls, and for a purge."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from flower_api import asker, signal_names, time_limits
from flower_store.events import MAX_NAME, MAX_TASK_ID

MOST_TASKS = 1_000
"""Tasks of one command: they go to all workers in one message."""

_FARTHEST = 2**31 - 1
_TEXT = r"^[^\x00]*$"
Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME, pattern=_TEXT)]
TaskId = Annotated[str, Meta(min_length=1, max_length=MAX_TASK_ID, pattern=_TEXT)]
Number = Annotated[int, Meta(ge=1, le=_FARTHEST)]
Bound = Annotated[int, Meta(ge=0, le=_FARTHEST)]
Seconds = Annotated[float, Meta(ge=0, le=_FARTHEST)]


class BadCommand(ValueError):
    """It is read, and asks for what cannot be."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """`reason` goes into the log with it."""

    reason: Annotated[str, Meta(max_length=asker.MAX_REASON, pattern=_TEXT)] = ""


class Revoke(Asked, frozen=True, kw_only=True, tag="revoke"):
    """Do not run these tasks; with `terminate`, also send `signal` to the processes that run them. To all workers."""

    tasks: Annotated[list[TaskId], Meta(min_length=1, max_length=MOST_TASKS)]
    terminate: bool = False
    signal: str = "SIGTERM"


class _OfName(Asked, frozen=True, kw_only=True):
    name: Name
    worker: Name | None = None


class RateLimit(_OfName, frozen=True, kw_only=True, tag="rate_limit"):
    """Tasks of this name that a worker begins: `10` (a second), `10/m`, `10/h`; `0` for as many as there are.

    At one worker, or at all.
    """

    rate_limit: Annotated[
        str,
        Meta(pattern=r"^[0-9]{1,9}(\.[0-9]{1,9})?(/[smh])?$", description="a number, alone or with /s, /m or /h: 10/m"),
    ]


class TimeLimit(_OfName, frozen=True, kw_only=True, tag="time_limit"):
    """Seconds that tasks of this name may run; the limit that is not given is cleared. At one worker, or at all."""

    soft: Seconds | None = None
    hard: Seconds | None = None


class _OfWorker(Asked, frozen=True, kw_only=True):
    worker: Name


class PoolGrow(_OfWorker, frozen=True, kw_only=True, tag="pool_grow"):
    """Add processes."""

    n: Number = 1


class PoolShrink(_OfWorker, frozen=True, kw_only=True, tag="pool_shrink"):
    """Take processes away."""

    n: Number = 1


class PoolRestart(_OfWorker, frozen=True, kw_only=True, tag="pool_restart"):
    """Needs `worker_pool_restarts`."""


class Autoscale(_OfWorker, frozen=True, kw_only=True, tag="autoscale"):
    """The bounds of the pool; needs a worker that was started with `--autoscale`."""

    min: Bound
    max: Bound


class _OfQueue(_OfWorker, frozen=True, kw_only=True):
    queue: Name


class AddConsumer(_OfQueue, frozen=True, kw_only=True, tag="add_consumer"):
    """Take from this queue, which is made where it is not there."""


class CancelConsumer(_OfQueue, frozen=True, kw_only=True, tag="cancel_consumer"):
    """Take from this queue no longer, until the worker is started again."""


class Shutdown(_OfWorker, frozen=True, kw_only=True, tag="shutdown"):
    """Finish the tasks that run, and end. No reply is waited for."""


class PurgeQueue(Asked, frozen=True, kw_only=True, tag="purge_queue"):
    """Delete what waits in the queue, for good. `messages` is how many were seen: where more wait by now, none goes."""

    queue: Name
    messages: Bound


AnyAsked = (
    Revoke | RateLimit | TimeLimit | PoolGrow | PoolShrink | PoolRestart | Autoscale | AddConsumer | CancelConsumer
    | Shutdown | PurgeQueue
)  # fmt: skip


class Told(NamedTuple):
    """On what, and with what; a worker, a task's name and a queue that are in the target must be known."""

    target: Mapping[str, object]
    arguments: Mapping[str, object]


_TARGET = frozenset({"tasks", "name", "worker"})


def told(asked: AnyAsked) -> Told:
    """What workers are told. Raises BadCommand."""
    _check(asked)
    if isinstance(asked, PurgeQueue):
        return Told({"queue": asked.queue}, {"messages": asked.messages})
    given = {field: value for field, value in msgspec.structs.asdict(asked).items() if field != "reason"}
    target = {field: given.pop(field) for field in _TARGET & given.keys()}
    if tasks := target.pop("tasks", None):
        tasks = list(dict.fromkeys(tasks))
        target |= {"tasks": tasks} if len(tasks) > 1 else {"task": tasks[0]}
    return Told({field: value for field, value in target.items() if value is not None}, given)


def _check(asked: AnyAsked) -> None:
    match asked:
        case Revoke() if asked.signal not in signal_names.KNOWN:
            raise BadCommand("signal: must be a signal of the workers' system in capitals, such as SIGTERM or SIGKILL")
        case TimeLimit(soft=None, hard=None):
            raise BadCommand("soft, hard: one of the two must be given; 0 clears a limit")
        case TimeLimit() if not time_limits.in_order(asked.soft, asked.hard):
            raise BadCommand(f"soft: {time_limits.NOT_IN_ORDER}")
        case Autoscale() if asked.min > asked.max:
            raise BadCommand("min: must be at most max")
        case _:
            return
