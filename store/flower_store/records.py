"""What the store gives out: typed, frozen, with names in place of small ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from uuid import UUID

from flower_store import losses, marks
from flower_store.findings import FindingRecord

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClusterRecord:
    """A monitored Celery cluster."""

    id: int
    slug: str
    transport: str
    broker: str


@dataclass(frozen=True, slots=True)
class MarkRecord:
    """Our judgement that nobody seems to work on a task (`marks.py`); `since` is None where that is not known."""

    kind: str
    reason: str
    since: datetime | None

    @property
    def sentence(self) -> str:
        """What it means."""
        return marks.sentence(self.kind, self.reason)


@dataclass(frozen=True, slots=True)
class FoundRecord:
    """The end of a task that no event told, as a result backend knew it; `result` is its exception where it failed.

    `until` is when it had ended at the latest: its end, where the backend keeps one, or else when it was asked.
    """

    state: str
    until: datetime
    result: str | None = None
    traceback: str | None = None

    @property
    def sentence(self) -> str:
        """What it means."""
        return f"No event told its end: it was closed as {self.state}, as the result backend knows it."


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """A task as a list shows it. Texts are cut to what a list can show."""

    key: UUID
    id: str
    name: str | None
    state: str
    queue: str | None
    worker: str | None
    seen_at: datetime
    sent_at: datetime | None
    received_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    due_at: datetime | None
    runtime: float | None
    retries: int
    args: str | None
    kwargs: str | None
    error: str | None
    mark: MarkRecord | None = None
    reconciled: bool = False
    """Whether no event told its end, and the state is that of the result backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRecord:
    """A task with all that its events told. Times are the senders' own; None where no event told it."""

    key: UUID
    id: str
    name: str | None
    state: str
    queue: str | None
    worker: str | None
    seen_at: datetime
    last_at: datetime
    last_clock: int
    args: str | None
    kwargs: str | None
    eta: str | None
    expires: str | None
    due_at: datetime | None
    root_id: str | None
    parent_id: str | None
    children: Sequence[str]
    retries: int
    sent_at: datetime | None
    exchange: str | None
    routing_key: str | None
    client: str | None
    received_at: datetime | None
    started_at: datetime | None
    yielded_at: datetime | None
    yielded_type: str | None
    yielded_exception: str | None
    yielded_traceback: str | None
    succeeded_at: datetime | None
    result: str | None
    runtime: float | None
    failed_at: datetime | None
    exception: str | None
    traceback: str | None
    revoked_at: datetime | None
    terminated: bool | None
    expired: bool | None
    signum: str | None
    rejected_at: datetime | None
    custom_at: datetime | None
    custom_type: str | None
    custom_fields: object
    error_group: int | None
    """The number of the group of its last failure, whatever became of it since."""
    mark: MarkRecord | None = None
    found: FoundRecord | None = None
    """The end that the state names, where that is not of an event."""

    @property
    def ended_at(self) -> datetime | None:
        """When it came to the end that its state names, as an event told it."""
        if self.found is not None:
            return None
        ends = {
            "SUCCESS": self.succeeded_at,
            "FAILURE": self.failed_at,
            "REVOKED": self.revoked_at,
            "REJECTED": self.rejected_at,
        }
        return ends.get(self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationsRecord:
    """The tasks round a task, as far as they are stored; `more_children` where not all children are here."""

    root: TaskSummary | None
    parent: TaskSummary | None
    children: Sequence[TaskSummary]
    more_children: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """One event of a task, as it came. `worker` is None for task-sent."""

    type: str
    at: datetime
    worker: str | None
    pid: int
    clock: int
    received_at: datetime
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker and its last sign of life. `replies` are its last answers by inspect method."""

    id: int
    hostname: str
    online: bool
    pid: int | None
    heartbeat_at: datetime | None
    offline_at: datetime | None
    seen_at: datetime | None
    freq: float | None
    clock: int
    active: int | None
    processed: int | None
    loadavg: Sequence[float]
    sw_ident: str | None
    sw_ver: str | None
    sw_sys: str | None
    replies: Mapping[str, object]
    replied_at: datetime | None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some records in order, and the cursor of the next ones: None at the end."""

    items: Sequence[T]
    next: str | None


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows; where `exact` is false there are at least so many."""

    value: int
    exact: bool


_NONE = Count(0, exact=True)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Events of one type in one interval of a series; `at` is its beginning."""

    at: datetime
    type: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts of events by type within an interval, and the runtimes of what succeeded in it."""

    counts: Mapping[str, int]
    runtime_count: int
    runtime_sum: float


@dataclass(frozen=True, slots=True)
class Percentiles:
    """p50, p95 and p99 in seconds of the newest tasks of an interval; None where none was measured."""

    p50: float | None
    p95: float | None
    p99: float | None
    measured: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """p50, p95 and p99 in seconds, read from a histogram (`histograms.percentile`); None where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None
    measured: int
    total: float
    """The sum of all that was measured, in seconds."""


@dataclass(frozen=True, slots=True)
class Activity:
    """Events by type within an interval, and how long tasks ran and waited in it."""

    counts: Mapping[str, int]
    run: Distribution
    wait: Distribution

    @property
    def ended(self) -> int:
        """Ends of any kind."""
        kinds = ("task-succeeded", "task-failed", "task-revoked", "task-rejected")
        return sum(self.counts.get(kind, 0) for kind in kinds)

    @property
    def failure_share(self) -> float | None:
        """Failures among all ends; None where nothing ended."""
        return _share(self.counts.get("task-failed", 0), self.ended)

    @property
    def retry_share(self) -> float | None:
        """Retries among all starts; None where nothing was started."""
        return _share(self.counts.get("task-retried", 0), self.counts.get("task-started", 0))


def _share(part: int, whole: int) -> float | None:
    return None if whole <= 0 else round(min(part / whole, 1.0), 6)


@dataclass(frozen=True, slots=True)
class Point:
    """One step of a series; `at` is its beginning."""

    at: datetime
    activity: Activity


@dataclass(frozen=True, slots=True)
class NameRecord:
    """A task name and its small id."""

    id: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEventRecord:
    """A worker came, went, or was lost; `at` is in the worker's clock."""

    id: int
    type: str
    at: datetime
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorRecord:
    """A collector process; `alive` while its last beat is recent. `broker_away_at` is None while its broker answers."""

    hostname: str
    pid: int
    version: str
    promise: str
    started_at: datetime
    beat_at: datetime
    stopped_at: datetime | None
    alive: bool
    stored: int
    set_aside: int
    lag: timedelta | None
    broker_away_at: datetime | None
    findings: tuple[FindingRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRecord:
    """What someone asked for, and what became of it.

    `status` is waiting, running, done, failed, unknown or expired (`outbox.py`). `answer` is for whoever asked alone
    and is not kept.
    """

    id: int
    kind: str
    target: Mapping[str, object]
    arguments: Mapping[str, object]
    actor: str
    origin: str
    reason: str
    asked_at: datetime
    expires_at: datetime
    claimed_at: datetime | None
    ended_at: datetime | None
    status: str
    reply: Mapping[str, object] | None
    collector: str | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class EntryRecord(CommandRecord):
    """A row of the audit log, of whichever cluster; None where it concerns none."""

    cluster: str | None


@dataclass(frozen=True, slots=True)
class GapRecord:
    """An interval in which events, `count` of them where that is known, were or may have been lost.

    `at_least` says that there may be more of them.
    """

    started_at: datetime
    ended_at: datetime
    reason: str
    detail: str
    count: int | None = None
    at_least: bool = False
    missing: int = 0
    """Task starts that the audit misses in it."""
    repaired: int = 0
    """How many of those tasks were closed from the result backend."""
    unfinished: Count = _NONE
    """Tasks that were heard of at most an hour before it or in it, not since, and have no end."""

    @property
    def sentence(self) -> str:
        """What the reason means."""
        return losses.sentence(self.reason)

    @property
    def words(self) -> str:
        """The reason in a few words."""
        return losses.words(self.reason)

    @property
    def cost(self) -> str:
        """What was not seen because of it, as far as that is known; empty where nothing is."""
        what = f"{self.missing:,} task {_plural(self.missing, 'start')}"
        bound = "at least " if self.at_least else ""
        parts = [f"{bound}{self.count:,} {_plural(self.count, 'event')} lost" if self.count else ""]
        parts += [_unseen(what, self.missing, self.repaired) if self.missing else ""]
        told = "; ".join(filter(None, parts))
        return f"{told}." if told else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAsideRecord:
    """A message that could not be taken as it was; `body` is what was kept of it."""

    id: int
    received_at: datetime
    reason: str
    detail: str
    routing_key: str
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedRecord:
    """Task starts that were not seen, of one cause: of one worker, or of several in one gap.

    `repaired` is how many of those tasks the result backend knew the end of.
    """

    worker: str
    workers: int
    pid: int | None
    began_at: datetime
    ended_at: datetime
    started: int
    missing: int
    repaired: int
    cause: str
    gap_id: int | None = None
    """The gap that explains it."""

    @property
    def sentence(self) -> str:
        """What was missed, for people; times are UTC."""
        whose = self.worker if self.workers == 1 else f"{self.workers:,} workers"
        between = f"between {_clock(self.began_at)} and {_clock(self.ended_at)}"
        what = f"{self.missing:,} task {_plural(self.missing, 'start')} of {whose} {between}"
        return _unseen(what, self.missing, self.repaired, why=f" ({losses.words(self.cause)})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """What the audit knows of an interval: tasks started as worker processes say, and as they were seen.

    `audited_until` is the last heartbeat that was weighed, None before the first. `unaudited` are starts that were seen
    of workers past the bound on their number, of which nobody can say whether they are all; None where there are none.
    """

    started: int
    seen: int
    missing: int
    repaired: int
    audited_until: datetime | None
    unaudited: int | None = None

    @property
    def sentence(self) -> str:
        """What was found, in one sentence, and what was not looked at, in another."""
        if self.unaudited is None:
            return self._found
        starts = f"{self.unaudited:,} task {_plural(self.unaudited, 'start')}"
        not_audited = f"Workers past the bound (--max-workers) are not audited; {starts} of theirs were seen."
        return f"{self._found} {not_audited}" if self.started else not_audited

    @property
    def _found(self) -> str:
        if self.missing:
            what = f"{self.missing:,} of {self.started:,} task {_plural(self.started, 'start')}"
            return f"{_unseen(what, self.missing, self.repaired)}."
        if self.started == 1:
            return "The one task start that workers told of was seen."
        if self.started:
            return f"All {self.started:,} task starts that workers told of were seen."
        if self.audited_until is None:
            return "Nothing was audited yet: that takes two heartbeats of a worker."
        return "No worker told of a task that it started."


def _unseen(what: str, missing: int, repaired: int, *, why: str = "") -> str:
    """The audit's sentence, without a full stop."""
    told = f"{what} {'was' if missing == 1 else 'were'} not seen{why}"
    if not repaired:
        return told
    return f"{told}; {repaired:,} {'was' if repaired == 1 else 'were'} repaired from the result backend"


def _plural(number: int, noun: str) -> str:
    return noun if number == 1 else f"{noun}s"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"
