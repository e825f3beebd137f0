"""The thread that says that this collector lives, leads where it may, and does what the leader does in the database.

It owns one `store.Writer`. Leadership is a lease in the database, renewed with each beat.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import structlog

from flower_collector import gaps, promise
from flower_collector.availability import Availability
from flower_collector.buffer import Buffer
from flower_collector.findings import Findings
from flower_collector.metrics import Metrics
from flower_collector.periodic import Periodic
from flower_collector.writer import Totals
from flower_store import collectors, errors, leadership, losses, writes

log = structlog.get_logger()

LEADING = "leading"
LEADING_ENDED = "leading ended"
WORKERS_LOST = "workers lost"
PARTITIONS_MADE = "partitions made"
GAP_RECORDED = "gap recorded"
GAP_REFUSED = "gap refused by the database"
DUTIES_FAILED = "duties failed"

BEAT = 2.0
"""Seconds between signs of life. The pages call a collector away after a few of them."""

LOOK = 0.2
"""Seconds between looks for a neighbour's beat at the end."""

LAST_LOOKS = 20
"""Two beats long: a neighbour that lives has beaten by then. A stop waits for threads a little longer than that."""

LISTENED = 15.0
"""Seconds for which broker and database must have answered before silence is a worker's: after our own absence, or a
pause of the database, the waiting heartbeats come first."""

_ABSENCES = UUID("7a5f3e0e-8f0b-4c53-9d6e-6f1c1f0d9b11")
"""Namespace of the identities of absences."""

ASIDE_KEPT = 10_000
"""Records of set-aside input that are kept for each cluster: enough to see a pattern."""

ASIDE_BYTES = 128 * 1024**2
"""Bytes of their bodies: 10,000 of 64 KiB each would be 640 MB."""


class Duties(threading.Thread):
    """Beats, leads, records gaps."""

    def __init__(
        self,
        store: writes.Writer,
        *,
        instance: writes.Instance,
        promise: Callable[[], str],
        totals: Totals,
        found: Findings,
        buffer: Buffer,
        complete: Callable[[], datetime | None] | None,
        noted: gaps.Gaps,
        broker: Availability,
        database: Availability,
        metrics: Metrics,
        failed: Callable[[errors.StoreError], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`complete` tells until when nothing was missed that this broker keeps for nobody (`RedisReceiver`)."""
        super().__init__(name="flower-duties", daemon=True)
        self._store = store
        self._instance = instance
        self._promise = promise
        self._totals = totals
        self._found = found
        self._buffer = buffer
        self._complete = complete
        self._noted = noted
        self._broker = broker
        self._database = database
        self._metrics = metrics
        self._failed = failed
        self._clock = clock
        self._now = now
        self._pause = pause
        self._beaten_at = self._listening_since = clock()
        self._previous: datetime | None = None
        self._committed: datetime | None = None
        self._previous_known = self._previous_streamed = False
        self._unsettled: list[gaps.Gap] = []
        self._losing = Periodic(timedelta(seconds=5), clock=clock)
        self._trimming = Periodic(timedelta(seconds=10), clock=clock)
        self._partitioning = Periodic(timedelta(hours=1), clock=clock)
        self._stopping = threading.Event()
        self._resigned = False
        self._leads: bool | None = None
        self._leads_until = clock()

    @property
    def leads(self) -> bool | None:
        """Whether this collector leads; None while that is not known. A lease that was not renewed in time is over."""
        return None if self._leads and self._clock() >= self._leads_until else self._leads

    def resign(self) -> None:
        """Leave the leader's work to others from the next beat on: nothing is received now. May be called twice."""
        self._resigned = True

    def finish(self) -> None:
        """Say that the collector stops, and end. May be called twice."""
        self._stopping.set()
        self._noted.wake()

    def run(self) -> None:
        """Work until `finish()`."""
        while not self._stopping.is_set():
            self._once(self.work_once)
            self._await_beat()
        self._once(self._farewell)
        for gap in self._unsettled:
            self._noted.note(gap)  # a spool keeps them, where there is one
        self._store.close()

    def _await_beat(self) -> None:
        """Until the next beat is due, or the end. Gaps that should not wait for it do not."""
        due = self._clock() + BEAT
        while not self._stopping.is_set() and (left := due - self._clock()) > 0:
            self._noted.await_urgent(left)
            if self._noted.urgent:
                self._once(self._record_urgent)

    def _record_urgent(self) -> None:
        self._learn_previous()
        self._record_gaps()

    def _once(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._database.answered()
        except errors.WrongSchema as error:
            self._failed(error)
        except errors.Unavailable:
            # The writing threads tell of it; here only what others ask is set.
            self._database.failed()
            self._lead(None)
        except Exception:
            log.exception(DUTIES_FAILED)

    def work_once(self) -> None:
        """All duties of one beat. Raises the store's errors."""
        self._learn_previous()
        committed_at = self._committed_at()
        self._record_gaps()
        self._beat(committed_at)
        if self._resigned:
            self._stop_leading()
            return
        asked_at = self._clock()
        self._lead(leadership.try_lead(self._store, self._instance.id))
        self._leads_until = asked_at + leadership.LEASE.total_seconds()
        if self.leads:
            self._lead_on()

    def _farewell(self) -> None:
        self._learn_previous()
        self._note_given_up()
        committed_at = self._committed_at()
        self._record_gaps()
        self._await_another()
        while self._unsettled:
            self._settle(self._unsettled[0])
            del self._unsettled[0]
        self._beat(committed_at)
        self._store.stopped(self._instance)
        self._stop_leading()

    def _stop_leading(self) -> None:
        if self._leads is not False:
            leadership.resign(self._store, self._instance.id)
            self._lead(False)

    def _note_given_up(self) -> None:
        """What the database did not take in the time of the stop, and nothing keeps."""
        if (loss := self._buffer.give_up()) is not None:
            self._noted.note(replace(loss.gap(losses.NOT_WRITTEN), ended_at=self._now()))
            self._metrics.dropped.inc(loss.messages)

    def _committed_at(self) -> datetime | None:
        """Until when all that was sent is committed or on disk, once the gaps noted by now are recorded.

        None where the broker keeps it for us; the time that we found where there is none of our own yet. A kill loses
        what came later, and the gap of the absence begins there.
        """
        if self._complete is None:
            return None
        complete = self._complete()  # before the buffer is asked: what came until then is there
        waiting = self._buffer.waiting_since
        if complete is None:
            return self._committed
        return complete if waiting is None else min(complete, waiting)

    def _await_another(self) -> None:
        """A start and a stop within one beat of a living neighbour would else look like an absence of all."""
        until = self._clock() + LAST_LOOKS * LOOK
        while (
            self._clock() < until
            and self._another_may_run()
            and any(gap.all_away and not self._another_covers(gap) for gap in self._unsettled)
        ):
            self._pause(LOOK)

    def _beat(self, committed_at: datetime | None) -> None:
        if any(gap.all_away for gap in self._unsettled):
            committed_at = self._committed  # that gap is not recorded yet, and dies with us
        instance = replace(self._instance, promise=self._promise())
        totals = self._totals
        self._store.beat(
            instance,
            stored=totals.stored,
            aside=totals.aside + totals.refused,
            lag=totals.lag,
            committed_at=committed_at,
            broker_away_at=self._broker.away_at,
            found=self._found.told(),
        )
        self._note_listening()

    def _note_listening(self) -> None:
        """Begin anew after each interruption of ours: a missing broker, a database that kept a beat waiting."""
        beaten_at, self._beaten_at = self._beaten_at, self._clock()
        if self._broker.away_at is not None or self._beaten_at - beaten_at > LISTENED:
            self._listening_since = self._beaten_at

    def _lead(self, leads: bool | None) -> None:
        if bool(leads) != bool(self._leads):
            log.info(LEADING if leads else LEADING_ENDED)
            self._found.forget()
        self._leads = leads
        self._metrics.leading.set(bool(leads))

    def _lead_on(self) -> None:
        if self._partitioning.due() and (made := self._store.ensure_partitions(self._now())):
            log.info(PARTITIONS_MADE, names=made)
        if self.listened and self._losing.due() and (lost := self._store.mark_lost_workers()):
            log.info(WORKERS_LOST, workers=lost)
        if self._trimming.due():
            self._store.trim_set_aside(ASIDE_KEPT, keep_bytes=ASIDE_BYTES)

    @property
    def listened(self) -> bool:
        """Whether we have listened long enough for a silence to be a worker's."""
        return self._clock() - self._listening_since >= LISTENED

    def _learn_previous(self) -> None:
        """When the cluster's last collector lived, and what it had committed: to be asked before our own first beat."""
        if not self._previous_known:
            self._previous = self._store.last_beat()
            self._committed = collectors.last_committed(self._store)
            self._previous_streamed = collectors.last_promise(self._store) in promise.DURABLE
            self._previous_known = True

    def _record_gaps(self) -> None:
        loss = self._buffer.take_loss()
        if loss is not None:
            self._noted.note(loss.gap(losses.BUFFER_FULL))
            self._metrics.dropped.inc(loss.messages)
        waiting, self._unsettled = self._unsettled + self._noted.take(), []
        for position, gap in enumerate(waiting):
            try:
                self._weigh(gap)
            except errors.Rejected as error:
                # Whoever waits for it goes on waiting; the others need not.
                log.error(GAP_REFUSED, reason=gap.reason, detail=gap.detail, error=str(error))  # noqa: TRY400
            except errors.StoreError:
                self._unsettled = gaps.folded(self._unsettled + waiting[position:])
                raise

    def _weigh(self, gap: gaps.Gap) -> None:
        """Record the gap, or wait: a collector that beat a moment ago may live, and then nothing was missed."""
        if gap.all_away and self._another_may_run() and not self._another_covers(gap):
            self._unsettled.append(gap)
            return
        self._settle(gap)

    def _settle(self, gap: gaps.Gap) -> None:
        started_at = gap.started_at or (self._committed if gap.all_away else self._previous)
        if gap.reason == losses.STREAM_LOST and gap.started_at is None and not self._previous_streamed:
            return  # nobody had read it yet: the add-on or the mode is new, and all that there is is read
        if gap.found_again:
            started_at = started_at or gap.ended_at  # its finder waits for the record
        if started_at is None or (gap.all_away and self._another_covers(gap)):
            return
        ended_at = max(started_at, gap.ended_at)
        new = self._store.record_gap(
            started_at, ended_at, reason=gap.reason, detail=gap.detail, count=gap.count, at_least=gap.at_least,
            since_stored=gap.since_stored, identity=gap.identity or _absence(gap, started_at),
        )  # fmt: skip
        if gap.recorded is not None:
            gap.recorded.set()
        if not new:
            return
        self._metrics.gaps.labels(gap.reason).inc()
        log.warning(GAP_RECORDED, reason=gap.reason, seconds=(ended_at - started_at).total_seconds(), detail=gap.detail)

    def _another_may_run(self) -> bool:
        known = self._previous
        return known is not None and collectors.others_may_run(self._store, self._instance.id, known=known)

    def _another_covers(self, gap: gaps.Gap) -> bool:
        known = self._previous
        return known is not None and collectors.another_covers(
            self._store, self._instance.id, known=known, until=gap.ended_at
        )


def _absence(gap: gaps.Gap, started_at: datetime) -> UUID | None:
    """Of an absence of all, which each of those that come after it finds, and none of them is the first."""
    return uuid5(_ABSENCES, f"{gap.reason} {started_at.isoformat()}") if gap.all_away else None
