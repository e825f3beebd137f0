"""The thread at which commands are claimed and answered: it alone talks to the outbox, and owns one `store.Writer`.

Each claimed command runs in a thread of its own, so that one worker that does not reply keeps nobody waiting. Nothing
is claimed that cannot be begun at once, because what waits here would be late.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter

from flower_collector.backoff import Backoff
from flower_collector.commands import execution, sending
from flower_collector.commands.execution import Execution
from flower_collector.periodic import Periodic
from flower_collector.redaction import Redaction
from flower_store import claims, errors, outbox, writes
from flower_store.claims import Claim, Ending

log = structlog.get_logger()

EXECUTED = "command executed"
COMMANDS_FAILED = "commands failed"
NOT_EXECUTED = "commands were taken and not executed"

LOOK = 1.0
"""Seconds between looks where nothing was announced: behind some pools nothing ever is."""

LAST = 4.0
"""Seconds that commands under way have at a stop."""

MOST: Mapping[frozenset[str], int] = {
    execution.KINDS - execution.WAITING: 8,
    execution.WAITING: 64,
}
"""Commands at once, apart for those that wait for tasks: or a few of these would keep every revoke from its work."""

_TIDYING = timedelta(seconds=30)


class Desk(threading.Thread):
    """Claims, hands out, answers."""

    def __init__(
        self,
        store: writes.Writer,
        execute: Execution,
        *,
        collector: UUID,
        wake: threading.Event,
        stopping: threading.Event,
        redaction: Redaction | None,
        counter: Counter,
        backoff: Backoff,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`wake` is set by whoever hears of a command; `stopping` ends the waits of those that run."""
        super().__init__(name="flower-commands", daemon=True)
        self._store = store
        self._execute = execute
        self._collector = collector
        self._wake = wake
        self._stopping = stopping
        self._redaction = redaction
        self._counter = counter
        self._backoff = backoff
        self._clock = clock
        self._running: dict[int, Claim] = {}
        self._ended: deque[tuple[Claim, Ending]] = deque()
        self._unsure = False
        self._tidying = Periodic(_TIDYING, clock=clock)

    def finish(self) -> None:
        """Take nothing more, answer what is under way, end. May be called twice."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Work until `finish()`."""
        pause = 0.0
        while not self._stopping.is_set():
            self._wake.wait(LOOK)
            self._wake.clear()
            pause = self._once(self._round)
            if pause:
                self._stopping.wait(pause)
        self._farewell()
        self._store.close()

    def _farewell(self) -> None:
        until = self._clock() + LAST
        while self._running and self._clock() < until:
            self._wake.wait(0.1)
            self._wake.clear()
            self._once(self._answer)

    def _once(self, work: Callable[[], None]) -> float:
        """Do it; the seconds to wait before the next time."""
        try:
            work()
        except (errors.Unavailable, errors.WrongSchema):
            return self._backoff.failed()  # the writing threads and the duties tell of it
        except Exception:
            log.exception(COMMANDS_FAILED)
            return self._backoff.failed()
        self._backoff.succeeded()
        return 0.0

    def _round(self) -> None:
        self._answer()
        if self._unsure:
            self._disown()
        if self._tidying.due():
            claims.tidy(self._store)
        for kinds, most in MOST.items():
            self._take(kinds, most)

    def _answer(self) -> None:
        """Store what has ended; what the database does not take now is kept for the next time."""
        while self._ended:
            claim, ending = self._ended[0]
            try:
                claims.finish(self._store, self._collector, claim.id, ending)
            except errors.Rejected as error:
                reply = {"cause": "defect", "error": f"the reply could not be stored: {error}"[:1_000]}
                claims.finish(self._store, self._collector, claim.id, Ending(outcome=ending.outcome, reply=reply))
            self._ended.popleft()
            del self._running[claim.id]
            self._counter.labels(claim.kind, ending.outcome).inc()
            if claim.kind != outbox.LOOKUP:
                log.info(EXECUTED, command=claim.id, kind=claim.kind, outcome=ending.outcome)

    def _disown(self) -> None:
        if number := claims.disown(self._store, self._collector, list(self._running)):
            log.warning(NOT_EXECUTED, commands=number)
        self._unsure = False

    def _take(self, kinds: Collection[str], most: int) -> None:
        free = most - sum(claim.kind in kinds for claim in self._running.values())
        if free <= 0:
            return
        self._unsure = True  # until we have heard what is ours
        taken = claims.claim(self._store, self._collector, kinds, most=free, shown=self._shown, clock=self._clock)
        self._running |= {claim.id: claim for claim in taken}
        self._unsure = False
        to_all = any(claim.kind in outbox.CONTROL and "worker" not in claim.target for claim in taken)
        workers = claims.workers_alive(self._store) if to_all else 0
        for claim in taken:
            threading.Thread(target=self._run, args=(claim, workers), name="flower-command", daemon=True).start()

    def _shown(self, claim: Claim) -> Mapping[str, object]:
        return claim.arguments if claim.payload is None else sending.shown(claim, self._redaction)

    def _run(self, claim: Claim, workers: int) -> None:
        self._ended.append((claim, self._execute.run(claim, workers=workers)))
        self._wake.set()
