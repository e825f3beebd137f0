"""What a Celery result backend knows of tasks, read so that it can run nothing.

Results are JSON or nothing: no pickle is opened, and no exception class named by a result is ever imported (Celery's
own reading does both, see CVE-2021-23727). Key-value backends are asked in batches, databases for their columns, all
others task by task.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import msgspec
from celery.app import backends
from celery.backends.base import BaseKeyValueStoreBackend, DisabledBackend
from kombu.exceptions import KombuError

from flower_collector import app
from flower_store.reconciling import Outcome

ENDS = frozenset({"SUCCESS", "FAILURE", "REVOKED"})

LARGEST = 1024 * 1024
"""Bytes of a stored result that are opened; of a larger one nothing is known."""

TIMEOUT = 5.0
"""Seconds that Redis may take; Celery's own default is two minutes."""

_UNREADABLE = ("rpc", "amqp")
"""Backends whose results only the sender of a task can read."""


class Unsupported(Exception):
    """This backend cannot be asked; the message says why."""


class _Meta(msgspec.Struct, frozen=True):
    status: str
    result: msgspec.Raw = msgspec.Raw(b"null")
    traceback: object = None
    date_done: object = None


class _Raised(msgspec.Struct, frozen=True):
    exc_type: str = ""
    exc_message: object = ""


_metas = msgspec.json.Decoder(_Meta)
_raised = msgspec.json.Decoder(_Raised)


class Backend(Protocol):
    """What we use of Celery's result backends, each of which has some of it."""

    task_cls: Any
    ResultSession: Callable[[], Any]
    meta_from_decoded: Callable[[object], object]
    exception_to_python: Callable[[object], object]

    # fmt: off
    def get_key_for_task(self, task_id: str) -> str | bytes: ...  # noqa: D102
    def mget(self, keys: Sequence[str | bytes]) -> object: ...  # noqa: D102
    def get(self, key: str | bytes) -> object: ...  # noqa: D102
    def get_task_meta(self, task_id: str, cache: bool) -> object: ...  # noqa: D102
    # fmt: on


Results = Callable[[Sequence[str]], Mapping[str, Outcome]]
"""Ends by task id; what is not known or cannot be read is left out. Raises whatever a backend's driver raises."""


def opened(cluster: app.App, url: str) -> Results:
    """The results of the backend at this URL, or of the application's own. Raises Unsupported."""
    return _asking(backend(cluster, url))


def backend(cluster: app.App, url: str) -> Backend:
    """The backend at this URL, or the application's own, for this caller alone. Raises Unsupported.

    What it reads stays as it is stored: it never becomes an exception of Celery's.
    """
    celery = cast("Any", cluster)
    chosen = url or celery.conf.get(app.BACKEND) or celery.conf.result_backend
    if not chosen or chosen == app.DISABLED:
        raise Unsupported("no result backend is configured")
    if isinstance(chosen, str) and chosen.partition(":")[0].partition("+")[0] in _UNREADABLE:
        raise Unsupported("results of an rpc backend can be read by the sender of a task alone")
    celery.conf.update(
        result_serializer="json",
        result_accept_content=["json"],
        # A database is connected to when it is asked; Celery would log a traceback of each attempt.
        database_create_tables_at_setup=False,
        result_backend_always_retry=False,
        redis_socket_timeout=TIMEOUT,
        redis_socket_connect_timeout=TIMEOUT,
    )
    kind, address = cast("Any", backends).by_url(chosen, loader=celery.loader)
    made: Backend = kind(app=celery, url=address)
    if isinstance(made, DisabledBackend):
        raise Unsupported("no result backend is configured")
    made.meta_from_decoded = made.exception_to_python = _as_it_is
    return made


def _asking(backend: Backend) -> Results:
    if isinstance(backend, BaseKeyValueStoreBackend):
        return lambda ids: _of_pairs(backend, ids)
    if hasattr(backend, "ResultSession"):
        return lambda ids: _of_database(backend, ids)
    return lambda ids: _one_by_one(backend, ids)


def _as_it_is(stored: object) -> object:
    return stored


def _of_pairs(backend: Backend, ids: Sequence[str]) -> dict[str, Outcome]:
    keys = [backend.get_key_for_task(task_id) for task_id in ids]
    found = {task_id: _decoded(value) for task_id, value in zip(ids, _values(backend, keys), strict=True)}
    return {task_id: one for task_id, one in found.items() if one is not None}


def _values(backend: Backend, keys: Sequence[str | bytes]) -> list[object]:
    """In the order of their keys; some backends answer so, some by key, some one by one."""
    try:
        values = backend.mget(keys)
    except NotImplementedError:
        return [backend.get(key) for key in keys]
    if isinstance(values, Mapping):
        by_word = {_word(key): value for key, value in cast("Mapping[str | bytes, object]", values).items()}
        return [by_word.get(_word(key)) for key in keys]
    return list(cast("Sequence[object]", values))


def _word(key: str | bytes) -> str:
    return key.decode() if isinstance(key, bytes) else key


def _decoded(value: object) -> Outcome | None:
    data = value.encode() if isinstance(value, str) else value
    if not isinstance(data, bytes) or len(data) > LARGEST:
        return None
    try:
        meta = _metas.decode(data)
    except (ValueError, RecursionError):
        return None
    return _outcome(meta.status, meta.date_done, bytes(meta.result), meta.traceback)


def _of_database(backend: Backend, ids: Sequence[str]) -> dict[str, Outcome]:
    """Without the column of results, which is pickled whatever the serializer."""
    table = backend.task_cls
    session = backend.ResultSession()
    try:
        rows = (
            session.query(table.task_id, table.status, table.date_done, table.traceback)
            .filter(table.task_id.in_(list(ids)))
            .all()
        )
    finally:
        session.close()
    found = {task_id: _outcome(status, done_at, None, traceback) for task_id, status, done_at, traceback in rows}
    return {task_id: one for task_id, one in found.items() if one is not None}


def _one_by_one(backend: Backend, ids: Sequence[str]) -> dict[str, Outcome]:
    found: dict[str, Outcome] = {}
    for task_id in ids:
        try:
            meta = backend.get_task_meta(task_id, cache=False)
        except KombuError:  # no JSON, and its neighbours may be
            continue
        if not isinstance(meta, Mapping):
            continue
        result = msgspec.json.encode(meta.get("result"), enc_hook=repr)
        outcome = _outcome(meta.get("status"), meta.get("date_done"), result, meta.get("traceback"))
        if outcome is not None:
            found[task_id] = outcome
    return found


def _outcome(state: object, done_at: object, result: bytes | None, traceback: object) -> Outcome | None:
    if not isinstance(state, str) or state not in ENDS:
        return None
    text = None if result is None else result.decode(errors="replace") if state == "SUCCESS" else _exception(result)
    return Outcome(
        state=state,
        done_at=_time(done_at),
        result=text,
        traceback=traceback if isinstance(traceback, str) else None,
    )


def _exception(result: bytes) -> str | None:
    try:
        raised = _raised.decode(result)
    except (ValueError, RecursionError):
        return None
    return shown(raised.exc_type, raised.exc_message)


def shown(exc_type: object, exc_message: object) -> str:
    """An exception as Python would show it, from how Celery stores one."""
    parts = exc_message if isinstance(exc_message, list | tuple) else [exc_message]
    return f"{exc_type}({', '.join(map(repr, parts))})"


def _time(value: object) -> datetime | None:
    """A time without a zone is UTC, as Celery stores it."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(at, datetime):
            return None
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
