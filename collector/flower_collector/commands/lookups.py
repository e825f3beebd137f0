"""What the result backend knows of one task, at any state, and the one thing that is written there: an abort."""

import json
import pickle
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from celery.backends.base import BaseKeyValueStoreBackend
from celery.contrib.abortable import ABORTED
from kombu.utils import json as kombu_json

from flower_collector import app, results
from flower_collector.redaction import Redaction

LARGEST = 16 * 1024**2
"""Bytes of a stored result that are opened."""

READY = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
_RAISED = frozenset({"FAILURE", "REVOKED", "RETRY"})

_loads = cast("Callable[[bytes], object]", kombu_json.loads)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


class Unreadable(Exception):
    """The result is there and is not opened; the message says why."""


class Away(Exception):
    """The backend does not answer, or not as it should: whatever its driver raised is the cause."""


@dataclass(frozen=True, slots=True)
class Found:
    """A task's state, and its result as a JSON value or a text."""

    state: str
    result: object = None
    traceback: object = None

    @property
    def ready(self) -> bool:
        """Whether it has ended."""
        return self.state in READY


class Lookups:
    """One collector's, for all its threads. Connects at the first need, and anew after a failure."""

    def __init__(
        self,
        cluster: app.App,
        url: str,
        *,
        unpickle: bool,
        redaction: Redaction | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = cluster
        self._url = url
        self._unpickle = unpickle
        self._redaction = redaction
        self._clock = clock
        self._backend: Any = None
        # Not every backend of Celery's can be used by two threads.
        self._lock = threading.Lock()

    def check(self) -> None:
        """Raise results.Unsupported where there is no backend that could be asked."""
        with self._lock:
            self._opened()

    def state(self, task_id: str) -> Found:
        """Ask once. Raises Unsupported, Unreadable, Away."""
        return self._redacted(self._asked(lambda backend: self._meta(backend, task_id)))

    def end(self, task_id: str, seconds: float, stopping: threading.Event) -> Found:
        """Ask until the task has ended, so many seconds; then, or at a stop, the state is what it was last."""
        until = self._clock() + seconds
        pause = _FIRST_PAUSE
        while not (found := self.state(task_id)).ready:
            left = until - self._clock()
            if left <= 0 or stopping.wait(min(pause, left)):
                break
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return found

    def abort(self, task_id: str) -> None:
        """As `AbortableAsyncResult.abort`: the task finds this state when it looks. Raises Unsupported, Away."""
        self._asked(lambda backend: backend.store_result(task_id, result=None, state=ABORTED, traceback=None))

    def _asked(self, ask: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - what `ask` returns
        with self._lock:
            try:
                return ask(self._opened())
            except (Unreadable, results.Unsupported):
                raise
            except Exception as error:
                self._backend = None
                raise Away(f"{type(error).__name__}: {error}") from error

    def _opened(self) -> Any:  # noqa: ANN401 - Celery ships no types
        if self._backend is None:
            self._backend = results.backend(self._app, self._url)
        return self._backend

    def _meta(self, backend: Any, task_id: str) -> Found:  # noqa: ANN401
        if isinstance(backend, BaseKeyValueStoreBackend):
            stored = cast("Any", backend).get(cast("Any", backend).get_key_for_task(task_id))
            return Found("PENDING") if stored is None else self._of_document(self._loaded(stored))
        if hasattr(backend, "ResultSession"):
            return self._of_row(backend, task_id)
        return self._of_document(backend.get_task_meta(task_id, cache=False))

    def _of_row(self, backend: Any, task_id: str) -> Found:  # noqa: ANN401
        """A database's column of results is pickled, whatever the serializer."""
        table = backend.task_cls
        columns = [table.status, table.traceback] + ([table.result] if self._unpickle else [])
        session = backend.ResultSession()
        try:
            row = session.query(*columns).filter(table.task_id == task_id).first()
        finally:
            session.close()
        if row is None:
            return Found("PENDING")
        state, traceback, *kept = row
        if state == "SUCCESS" and not kept:
            raise Unreadable("a database's results are pickled: set unpickle_results to open them")
        return _found(state, kept[0] if kept else None, traceback)

    def _loaded(self, stored: object) -> object:
        data = stored.encode() if isinstance(stored, str) else stored
        if not isinstance(data, bytes) or len(data) > LARGEST:
            raise Unreadable(f"the result is larger than {LARGEST} bytes")
        try:
            return _loads(data)
        except (ValueError, RecursionError):
            if not self._unpickle:
                raise Unreadable("the result is not JSON: set unpickle_results to open pickled ones") from None
        return cast("object", pickle.loads(data))  # noqa: S301 - whoever set unpickle_results wants it

    def _of_document(self, meta: object) -> Found:
        if not isinstance(meta, Mapping):
            raise Unreadable("the result is no document of Celery's")
        return _found(meta.get("status"), meta.get("result"), meta.get("traceback"))

    def _redacted(self, found: Found) -> Found:
        if self._redaction is None:
            return found
        name = "exception" if found.state in _RAISED else "result"
        hidden = self._redaction.fields({name: found.result, "traceback": found.traceback})
        return Found(found.state, hidden.get(name), hidden.get("traceback"))


def document(task_id: str, found: Found) -> dict[str, object]:
    """Flower's answer of a task that has ended."""
    result = {"task-id": task_id, "state": found.state, "result": _encodable(found.result)}
    return result | ({"traceback": found.traceback} if found.state == "FAILURE" else {})


def _found(state: object, result: object, traceback: object) -> Found:
    known = state if isinstance(state, str) else "PENDING"
    if known in _RAISED and isinstance(result, Mapping):
        result = results.shown(result.get("exc_type"), result.get("exc_message"))
    elif isinstance(result, BaseException):
        result = repr(result)
    return Found(known, result, traceback if isinstance(traceback, str) else None)


def _encodable(result: object) -> object:
    """What JSON cannot say is told as Python would show it, as in Flower."""
    try:
        json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return repr(result)
    return result
