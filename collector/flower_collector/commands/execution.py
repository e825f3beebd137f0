"""One command, executed: what was claimed goes in, how it ended comes out. It never raises."""

import json
import time
from collections.abc import Callable, Mapping
from threading import Event

import structlog
from kombu.exceptions import OperationalError

from flower_collector import app, results, secrets
from flower_collector.commands import broadcasts, line, lookups, peeking, purging, sending
from flower_collector.commands.lookups import Lookups
from flower_collector.queues.way import Unsupported
from flower_collector.redaction import Redaction
from flower_store import outbox
from flower_store.claims import Claim, Ending

log = structlog.get_logger()

DEFECT = "command defect"

WAITING = frozenset({outbox.APPLY, outbox.LOOKUP})
"""Kinds that may wait for a task's end."""

KINDS = frozenset(outbox.KINDS) - {outbox.ERROR_GROUP}

_CAUSES: Mapping[type[Exception], str] = {
    results.Unsupported: "no_backend",
    lookups.Unreadable: "unreadable",
    purging.Changed: "changed",
    Unsupported: "refused",
}
"""Why it is not done, where nothing is broken."""

_LINE = (OSError, OperationalError, lookups.Away)


class Late(Exception):
    """The time in which it may be executed is over."""


class Execution:
    """One collector's, for all its threads."""

    def __init__(
        self,
        cluster: app.App,
        kind: str,
        found: Lookups,
        *,
        stopping: Event,
        redaction: Redaction | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`kind` is the broker's transport."""
        self._redaction = redaction
        self._app = cluster
        self._kind = kind
        self._lookups = found
        self._stopping = stopping
        self._clock = clock

    def run(self, claim: Claim, *, workers: int) -> Ending:
        """Do it, at most once; `workers` is how many of them live."""
        try:
            return self._done(claim, workers)
        except Late:
            return _failed("late", "it was taken, but its time was over before it could be executed")
        except line.NotOpened as error:
            return _failed("unavailable", f"the broker does not answer, and nothing was sent: {error}")
        except tuple(_CAUSES) as error:
            return _failed(_cause(error), str(error))
        except Exception as error:  # noqa: BLE001 - whatever Celery or a driver raises
            return self._broken(claim, error)

    def _done(self, claim: Claim, workers: int) -> Ending:
        if claim.kind in outbox.CONTROL:
            return self._told(claim, workers)
        if claim.kind in {outbox.PURGE, outbox.PEEK}:
            return self._of_queue(claim)
        task_id = str(claim.target["task"])
        if claim.kind == outbox.LOOKUP:
            return self._looked_up(task_id, claim.arguments)
        if claim.kind == outbox.ABORT:
            self._in_time(claim)
            self._lookups.abort(task_id)
            return Ending(outcome=outbox.DONE, reply={"task": task_id})
        return self._sent(claim, task_id)

    def _told(self, claim: Claim, workers: int) -> Ending:
        with line.opened(self._app, self._kind) as opened:
            self._in_time(claim)
            found = broadcasts.ask(self._app, claim, opened, workers=workers, clock=self._clock)
        return Ending(outcome=outbox.DONE, reply={"workers": found})

    def _of_queue(self, claim: Claim) -> Ending:
        with line.opened(self._app, self._kind) as opened:
            self._in_time(claim)
            if claim.kind == outbox.PEEK:
                return peeking.peek(claim, opened, kind=self._kind, redaction=self._redaction)
            return Ending(outcome=outbox.DONE, reply=purging.purge(claim, opened, kind=self._kind))

    def _sent(self, claim: Claim, task_id: str) -> Ending:
        if claim.kind == outbox.APPLY:
            self._lookups.check()
        with line.opened(self._app, self._kind) as opened:
            self._in_time(claim)
            sending.send(self._app, claim, opened, kind=self._kind)
        # From here on it is done, whatever the backend says.
        answer = self._after(claim, task_id)
        return Ending(outcome=outbox.DONE, reply={"task": task_id}, answer=json.dumps(answer))

    def _after(self, claim: Claim, task_id: str) -> dict[str, object]:
        """Flower's answer: the state, and for `apply` the result, where there is a backend that tells them."""
        try:
            if claim.kind == outbox.APPLY:
                found = self._lookups.end(task_id, _seconds(claim.arguments), self._stopping)
                if found.ready:
                    return lookups.document(task_id, found)
            else:
                found = self._lookups.state(task_id)
        except (results.Unsupported, lookups.Unreadable, lookups.Away):
            return {"task-id": task_id}
        return {"task-id": task_id, "state": found.state}

    def _looked_up(self, task_id: str, arguments: Mapping[str, object]) -> Ending:
        if arguments.get("timeout"):
            found = self._lookups.end(task_id, _seconds(arguments), self._stopping)
        else:
            found = self._lookups.state(task_id)
        answer = lookups.document(task_id, found) if found.ready else {"task-id": task_id, "state": found.state}
        return Ending(outcome=outbox.DONE, reply={"task": task_id, "state": found.state}, answer=json.dumps(answer))

    def _in_time(self, claim: Claim) -> None:
        """The last look at the clock before it is sent."""
        if self._clock() >= claim.until:
            raise Late

    def _broken(self, claim: Claim, error: Exception) -> Ending:
        text = secrets.masked(f"{type(error).__name__}: {' '.join(str(error).split())}"[:1_000].replace("\0", "␀"))
        reply = {"cause": "unavailable", "error": text}
        if _of_line(error, self._app):
            # A lookup changes nothing; of anything else it cannot be known whether it had arrived.
            return Ending(outcome=outbox.FAILED if claim.kind == outbox.LOOKUP else outbox.UNKNOWN, reply=reply)
        if isinstance(error, ValueError | TypeError | KeyError | AttributeError):
            return Ending(outcome=outbox.FAILED, reply=reply | {"cause": "refused"})
        log.error(DEFECT, kind=claim.kind, error=text)
        return Ending(outcome=outbox.UNKNOWN, reply=reply | {"cause": "defect"})


def _cause(error: Exception) -> str:
    return next(cause for kind, cause in _CAUSES.items() if isinstance(error, kind))


def _of_line(error: Exception, cluster: app.App) -> bool:
    """Whether the broker or the backend went away; transports have errors of their own for that."""
    return isinstance(error, (*_LINE, *cluster.connection_for_write(heartbeat=0).connection_errors))


def _seconds(arguments: Mapping[str, object]) -> float:
    given = arguments.get("timeout")
    most = outbox.LONGEST_WAIT.total_seconds()
    return min(float(given), most) if isinstance(given, int | float) else most


def _failed(cause: str, error: str) -> Ending:
    return Ending(outcome=outbox.FAILED, reply={"cause": cause, "error": str(secrets.masked(error)).replace("\0", "␀")})
