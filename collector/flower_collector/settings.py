"""The collector's settings, each declared once; `cli/` makes flags, variables and keys of them."""

import json
import re
from dataclasses import dataclass
from datetime import timedelta

from flower_collector import broker_address
from flower_store.settings import SettingError, setting

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LARGEST_PORT = 65_535
_NOTHING = timedelta(0)

REDIS_MODES = ("auto", "pubsub", "stream")

LONGEST_QUEUE_NAME = 247
"""Bytes: AMQP's 255 less those of `.dropped`, the queue beside it."""

LONGEST_QUEUE_TTL = timedelta(days=49)
"""RabbitMQ's 2^32 - 1 milliseconds, in whole days."""

LEAST_PROBE_INTERVAL = timedelta(milliseconds=10)

EVERYTHING = "*"
LEAST_SPOOL = 1024**2
"""Bytes: below that SQLite's own pages are most of it."""
_REDACTABLE = re.compile(r"[A-Za-z0-9]+(?:[-_.]+[A-Za-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """What to collect, from where, and how."""

    broker: str = setting(
        "",
        secret=True,
        metavar="URL",
        help="Broker of the Celery cluster, such as amqp:// or redis://; empty takes it from the app.",
    )
    broker_transport_options: str = setting(
        "",
        secret=True,
        metavar="JSON",
        help="Celery's broker_transport_options as a JSON object; empty takes the app's.",
    )
    app: str | None = setting(
        None,
        metavar="NAME",
        help="Celery application (celery's -A) whose configuration is read; its tasks are never needed.",
    )
    cluster: str = setting("default", help="Name of the cluster in addresses: lower-case letters, digits and hyphens.")
    event_exchange: str | None = setting(None, help="Celery's event_exchange; by default the app's, or celeryev.")
    event_queue_prefix: str | None = setting(
        None, help="Celery's event_queue_prefix; one of your own also begins the name of our queue."
    )
    control_exchange: str | None = setting(None, help="Celery's control_exchange; by default the app's, or celery.")
    queue_name: str = setting(
        "",
        help="RabbitMQ queue that holds events for this cluster's collectors, and their consumer group on Redis; by "
        "default flower.CLUSTER.",
    )
    # A full broker stops task publishing, so the queue must have an end. Two GiB are about five million events at
    # the measured 0.4 kB: over an hour of absence at 1,000 events a second. Bytes, because events differ in size.
    queue_max_bytes: int = setting(
        2 * 1024**3,
        help="RabbitMQ: bytes the queue may hold; past it the oldest events are dropped; 0 is no bound. A broker whose "
        "disk is full stops all tasks; 2 GiB are five million events. A queue that is there keeps its own bounds "
        "(docs/rabbitmq.md).",
    )
    queue_max_length: int = setting(
        0,
        help="RabbitMQ: messages the queue may hold; past it the oldest are dropped; 0 is no bound: bytes bound it "
        "already, and messages differ a thousandfold in size. As queue_max_bytes, for a new queue alone.",
    )
    redis_mode: str = setting(
        "auto",
        metavar="MODE",
        help="Redis: auto reads PUB/SUB, and the stream of flower_worker where there is one; pubsub or stream reads "
        "that alone. With stream, workers without flower_worker are not seen.",
    )
    redis_stream: str = setting(
        "",
        help="Redis: key of the stream; by default the app's flower_stream, or flower. and the event exchange.",
    )
    queue_ttl: timedelta = setting(
        _NOTHING,
        help="RabbitMQ: events older than this are dropped unread, 49d at most; 0 is never: an old event is history as "
        "well. As queue_max_bytes, for a new queue alone.",
    )
    # COPY reaches 47,000 rows a second at 1,000 a batch against 20,200 at 100; past 5,000 only latency grows.
    batch_size: int = setting(4_000, help="Events after which a batch is written; a message is never split.")
    flush_after: timedelta = setting(
        timedelta(milliseconds=250), help="The longest that an event waits for its batch to fill."
    )
    hold_for: timedelta = setting(
        timedelta(seconds=5),
        help="RabbitMQ: with the database away this long, unwritten messages go back to the broker.",
    )
    buffer_size: int = setting(
        100_000,
        help="Messages that wait in memory, at most; Redis drops the oldest past it and records a gap. Up to four "
        "batches (batch_size) that are opened or being written stand beside them.",
    )
    buffer_max_bytes: int = setting(
        64 * 1024**2, help="Bytes of messages that wait in memory, at most; as buffer_size."
    )
    spool_dir: str | None = setting(
        None,
        metavar="DIRECTORY",
        help="Redis: where messages go that memory cannot hold; by default a directory of the user's. "
        "They lie there unredacted.",
    )
    # At about 1 kB a message some twenty minutes of absence at 1,000 a second, and little on any disk.
    spool_max_bytes: int = setting(
        1024**3,
        help="Redis: bytes of the spool on disk, at most; past it the oldest are dropped and recorded; 0 is no spool.",
    )
    enable_events: bool = setting(
        True,
        help="Tell workers to send task events, again and again, so that new workers do too.",
    )
    enable_events_interval: timedelta = setting(
        timedelta(seconds=5), help="How often workers are told to send task events."
    )
    inspect_interval: timedelta = setting(
        timedelta(seconds=30), help="How often workers are asked about themselves; 0 is never."
    )
    inspect_timeout: timedelta = setting(timedelta(seconds=2), help="How long answers of workers are waited for.")
    # Events that were given back by one collector reach another after `hold_for`, 5 s; threads may tell seconds late.
    audit_grace: timedelta = setting(
        timedelta(seconds=10),
        help="How long after a worker's heartbeat its events may come before the audit counts what is missing.",
    )
    lost_after: timedelta = setting(
        timedelta(seconds=10), help="A task started on a worker that has been offline for this long is marked as lost."
    )
    stuck_after: timedelta = setting(
        timedelta(hours=1), help="A task received this long ago, without an ETA, and not started is marked as stuck."
    )
    overdue_after: timedelta = setting(
        timedelta(minutes=1), help="A task not started this long after its ETA is marked as overdue."
    )
    redact: tuple[str, ...] = setting(
        (),
        help="Names whose values are hidden before anything is stored: every name that contains one of these, "
        "such as password,api_key; * hides all arguments, results, exceptions and fields of one's own.",
    )
    redact_values: str = setting(
        "",
        metavar="REGEX",
        help="Whatever this regular expression finds in arguments, results, exceptions is hidden before it is stored.",
    )
    store_args: bool = setting(True, help="Store the arguments of tasks.")
    store_results: bool = setting(True, help="Store the results of tasks; exceptions are stored in any case.")
    # A made-up name costs a row for ever, here and in every list: genuine clusters have hundreds.
    max_task_names: int = setting(
        10_000, help="Task names that get a row of their own; what is new past it is counted as (overflow), and told."
    )
    max_queues: int = setting(
        10_000,
        help="Queues that get a row of their own; as max_task_names. A row goes when nothing kept refers to it.",
    )
    max_workers: int = setting(
        10_000,
        help="Workers that get a row of their own; as max_queues. Where workers are pods with new names, this is how "
        "many there may be in the longest retention (retention_hours).",
    )
    max_event_types: int = setting(
        500, help="Types of events beside Celery's own that get a row of their own; as max_task_names."
    )
    max_error_groups: int = setting(5_000, help="Groups of errors that get a row of their own; as max_task_names.")
    result_backend: str = setting(
        "",
        secret=True,
        metavar="URL",
        help="Result backend in which unfinished tasks are looked up; empty takes the app's.",
    )
    unpickle_results: bool = setting(
        False,
        help="Open results that are pickled, for those who ask for one: whoever can write to the result backend can "
        "then run code here.",
    )
    reconcile_after: timedelta = setting(
        timedelta(minutes=10),
        help="Tasks unfinished for this long are looked up in the result backend; marked ones, those of gaps sooner.",
    )
    reconcile_rate: int = setting(100, help="Tasks that are looked up in the result backend a second; 0 is none.")
    # A second is fine enough to see a blocked way before people do, and costs 300 bytes.
    probe_interval: timedelta = setting(
        timedelta(seconds=1),
        help="RabbitMQ, Redis: how often an event of our own is sent to measure the way of events; 0 is never.",
    )
    queue_interval: timedelta = setting(
        timedelta(seconds=10), help="How often the broker is asked how full its queues are; 0 is never."
    )
    broker_api: str = setting(
        "",
        secret=True,
        metavar="URL",
        help="RabbitMQ's management API, such as http://guest:guest@localhost:15672/api/; by default the broker's host "
        "and user. Where it does not answer, queues are asked for over AMQP, which tells less.",
    )
    collector_address: str = setting(
        "127.0.0.1", help="Address of the collector's health and metrics; 0.0.0.0 in a container."
    )
    collector_port: int = setting(5556, help="Port of the collector's health and metrics; 0 takes a free one.")
    stop_timeout: timedelta = setting(
        timedelta(seconds=20), help="How long a stop waits for what is in memory to be written."
    )

    def __post_init__(self) -> None:
        """Check each value; raises SettingError."""
        if not _SLUG.fullmatch(self.cluster):
            rule = "must be 1 to 63 lower-case letters, digits and inner hyphens"
            raise SettingError("cluster", self.cluster, rule)
        if self.broker and "://" not in self.broker:
            raise SettingError("broker", "…", "must be a URL, such as redis://localhost:6379/0")
        if self.redis_mode not in REDIS_MODES:
            raise SettingError("redis_mode", self.redis_mode, f"must be one of {', '.join(REDIS_MODES)}")
        self._check_broker_api()
        self._check_transport_options()
        self._check_redaction()
        if 0 < self.spool_max_bytes < LEAST_SPOOL:
            raise SettingError("spool_max_bytes", self.spool_max_bytes, f"must be 0 or at least {LEAST_SPOOL}")
        self._check_bounds()

    def _check_bounds(self) -> None:
        for name, least, most in _RANGES:
            if not least <= getattr(self, name) <= most:
                raise SettingError(name, getattr(self, name), f"must be from {least} to {most}")
        for name in ("flush_after", "hold_for", "enable_events_interval", "inspect_timeout", "stop_timeout"):
            if getattr(self, name) <= _NOTHING:
                raise SettingError(name, getattr(self, name), "must be longer than nothing")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < _NOTHING:
                raise SettingError(name, getattr(self, name), "must not be negative")
        if len(self.queue_name.encode()) > LONGEST_QUEUE_NAME:
            raise SettingError("queue_name", self.queue_name, f"must have at most {LONGEST_QUEUE_NAME} bytes")
        if self.queue_ttl > LONGEST_QUEUE_TTL:
            raise SettingError("queue_ttl", self.queue_ttl, f"must be at most {LONGEST_QUEUE_TTL.days}d")
        if _NOTHING < self.probe_interval < LEAST_PROBE_INTERVAL:
            raise SettingError("probe_interval", self.probe_interval, "must be 0 or at least 0.01s")

    def _check_broker_api(self) -> None:
        try:
            _ = self.broker_api and broker_address.parse(self.broker_api)
        except ValueError as error:
            raise SettingError("broker_api", "…", str(error)) from None

    def _check_transport_options(self) -> None:
        try:
            options = json.loads(self.broker_transport_options or "{}")
        except ValueError:
            options = None
        if not isinstance(options, dict):
            raise SettingError("broker_transport_options", "…", "must be a JSON object")

    def _check_redaction(self) -> None:
        for word in self.redact:
            if word != EVERYTHING and not _REDACTABLE.fullmatch(word.strip(EVERYTHING)):
                raise SettingError(
                    "redact",
                    word,
                    "must be part of a name: letters, digits and inner _ - ., with or without * around it; or * alone",
                )
        try:
            pattern = re.compile(self.redact_values)
        except (re.error, RecursionError) as error:
            raise SettingError("redact_values", "…", f"is no regular expression of Python's: {error}") from None
        if self.redact_values and pattern.search(""):
            raise SettingError("redact_values", "…", "must not match nothing")


_NOT_NEGATIVE = (
    "queue_ttl",
    "probe_interval",
    "inspect_interval",
    "queue_interval",
    "audit_grace",
    "lost_after",
    "stuck_after",
    "overdue_after",
    "reconcile_after",
)

_RANGES = (
    ("batch_size", 1, 50_000),
    ("queue_max_bytes", 0, 2**62),
    ("queue_max_length", 0, 2**62),
    ("buffer_size", 1, 10_000_000),
    ("buffer_max_bytes", 1, 2**40),
    ("spool_max_bytes", 0, 2**40),
    ("max_task_names", 1, 1_000_000),
    ("max_queues", 1, 1_000_000),
    ("max_workers", 1, 1_000_000),
    ("max_event_types", 1, 10_000),
    ("max_error_groups", 1, 100_000),
    ("reconcile_rate", 0, 10_000),
    ("collector_port", 0, _LARGEST_PORT),
)
