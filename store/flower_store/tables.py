"""The tables: the one place where a column is named. Indexes of tasks are in `task_indexes.py`.

Small integer ids stand for names, so that rows and indexes stay narrow. Times are `timestamptz`. A test holds that
the migrations give exactly this.
"""

from typing import Any

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from flower_store import event_types, states

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _time(name: str, *, null: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=null)


def _now(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=False, server_default=func.now())


def _used() -> Column[object]:
    return Column(
        "used_at",
        DateTime(timezone=True),
        nullable=False,
        server_default=func.now(),
        comment="when a collector last looked its id up (dimensions.py)",
    )


def _cluster() -> Column[int]:
    return Column("cluster_id", SmallInteger, ForeignKey("cluster.id"), nullable=False)


def _serial(kind: type[Integer] = Integer) -> Column[int]:
    return Column("id", kind, Identity(always=True), primary_key=True)


def _key(name: str) -> list[Column[object]]:
    """The key of a register (`registers.py`)."""
    return [_time(f"{name}_at"), Column(f"{name}_clock", BigInteger), Column(f"{name}_digest", Integer)]


def _worker(name: str) -> Column[int]:
    return Column(f"{name}_worker_id", Integer)


def _without_padding(*columns: Column[Any]) -> list[Column[Any]]:
    """By width, widest first: where a narrow column stands before a wide one, PostgreSQL fills up the place between."""
    return sorted(columns, key=lambda column: _WIDTHS.get(type(column.type), 0), reverse=True)


_WIDTHS: dict[type, int] = {DateTime: 8, BigInteger: 8, Double: 8, Integer: 4, SmallInteger: 2}

cluster = Table(
    "cluster",
    metadata,
    Column("id", SmallInteger, Identity(always=True), primary_key=True),
    Column("slug", Text, nullable=False, unique=True, comment="its name in addresses: letters, digits, hyphens"),
    Column("transport", Text, nullable=False, server_default="", comment="kombu's transport: redis, amqp, …"),
    Column("broker", Text, nullable=False, server_default="", comment="broker URL without its password"),
    _now("created_at"),
)

task_name = Table(
    "task_name",
    metadata,
    _serial(),
    _cluster(),
    Column("name", Text, nullable=False),
    UniqueConstraint("cluster_id", "name"),
)

queue = Table(
    "queue",
    metadata,
    _serial(),
    _cluster(),
    Column("name", Text, nullable=False),
    _used(),
    UniqueConstraint("cluster_id", "name"),
)

worker = Table(
    "worker",
    metadata,
    _serial(),
    _cluster(),
    Column("hostname", Text, nullable=False, comment="node name: celery@host"),
    Column("pid", Integer),
    _time("heartbeat_at"),
    Column("heartbeat_clock", BigInteger),
    _time("offline_at"),
    _time("alive_until"),
    _time("seen_at"),
    Column("freq", REAL, comment="seconds between heartbeats"),
    Column("active", Integer),
    Column("processed", BigInteger, comment="tasks started since this process began"),
    Column("loadavg", ARRAY(REAL)),
    Column("sw_ident", Text),
    Column("sw_ver", Text),
    Column("sw_sys", Text),
    Column("utcoffset", REAL, comment="hours west of UTC; information only, never applied"),
    _used(),
    UniqueConstraint("cluster_id", "hostname"),
    comment="a worker and its last sign of life; alive_until is in the database's clock, the rest in the worker's",
)

worker_reply = Table(
    "worker_reply",
    metadata,
    Column("worker_id", Integer, ForeignKey("worker.id"), nullable=False),
    Column("method", Text, nullable=False, comment="inspect method: stats, active_queues, registered, conf, …"),
    Column("reply", JSONB, nullable=False),
    _time("replied_at", null=False),
    PrimaryKeyConstraint("worker_id", "method"),
    comment="the last answer of each worker to each inspect method",
)

worker_event = Table(
    "worker_event",
    metadata,
    _serial(BigInteger),
    Column("worker_id", Integer, ForeignKey("worker.id"), nullable=False),
    Column("type", Text, nullable=False, comment="worker-online, worker-offline, or worker-lost (ours)"),
    _time("at", null=False),
    Column("pid", Integer, nullable=False),
    UniqueConstraint("worker_id", "at", "type"),
    comment="workers coming and going; heartbeats only move the worker's row",
)

task = Table(
    "task",
    metadata,
    *_without_padding(
        Column(
            "id",
            BigInteger,
            Identity(always=True),
            comment="by which the log names the task",
        ),
        _cluster(),
        Column("key", UUID, nullable=False),
        Column("id_text", Text, comment="the task id where it is not a canonical UUID"),
        _time("seen_at", null=False),
        _time("last_at", null=False),
        Column("name_id", Integer),
        Column("args", Text),
        Column("kwargs", Text),
        Column("eta", Text),
        Column("expires", Text),
        _time("due_at"),
        Column("root_key", UUID),
        Column("root_text", Text, comment="empty where it is its own root"),
        Column("parent_key", UUID),
        Column("parent_text", Text),
        *_key("sent"),
        Column("sent_retries", Integer),
        Column("queue_id", Integer),
        Column("exchange", Text),
        Column("routing_key", Text),
        Column("client", Text),
        *_key("received"),
        Column("received_retries", Integer),
        _worker("received"),
        *_key("started"),
        _worker("started"),
        Column("started_pid", Integer),
        *_key("yielded"),
        _worker("yielded"),
        Column("yielded_pid", Integer),
        Column("yielded_type", Text),
        Column("yielded_exception", Text),
        Column("yielded_traceback", Text),
        *_key("succeeded"),
        _worker("succeeded"),
        Column("result", Text),
        Column("runtime", Double),
        *_key("failed"),
        _worker("failed"),
        Column("exception", Text),
        Column("traceback", Text),
        Column("failed_group_id", Integer, comment="error group of that failure"),
        *_key("revoked"),
        _worker("revoked"),
        Column("terminated", Boolean),
        Column("expired", Boolean),
        Column("signum", Text),
        *_key("rejected"),
        _worker("rejected"),
        *_key("custom"),
        _worker("custom"),
        Column("custom_type", Text),
        Column("custom_fields", JSONB),
        Column("found_at", DateTime(timezone=True), comment="until when a result backend's answer covers the events"),
        Column("found_state", Text, comment="SUCCESS, FAILURE or REVOKED, as a result backend knew it"),
        Column("found_result", Text, comment="its result, or its exception"),
        Column("found_traceback", Text),
        Column("found_group_id", Integer, comment="error group of the failure that a result backend knew"),
        Column("state", Text, Computed(states.STATE_SQL, persisted=True), nullable=False),
        Column("reconciled", Boolean, Computed(states.RECONCILED_SQL, persisted=True)),
        Column("worker_id", Integer, Computed(states.WORKER_SQL, persisted=True)),
    ),
    PrimaryKeyConstraint("cluster_id", "key"),
    comment="the current state of each task: its events folded by the merge rule",
)

task_mark = Table(
    "task_mark",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column("key", UUID, nullable=False),
    Column("kind", Text, nullable=False, comment="lost, ended_unseen, stuck, overdue (marks.py)"),
    Column("reason", Text, nullable=False),
    _time("since"),
    Column("state", Text, nullable=False),
    _time("last_at", null=False),
    _now("marked_at"),
    PrimaryKeyConstraint("cluster_id", "key"),
    comment="tasks on which nobody seems to work; a mark holds for the state and last_at that it was made for",
)

event_type = Table(
    "event_type",
    metadata,
    Column("id", SmallInteger, Identity(always=True, start=event_types.FIRST_CUSTOM), primary_key=True),
    Column("cluster_id", SmallInteger, ForeignKey("cluster.id"), comment="null: Celery's own, everywhere the same"),
    Column("name", Text, nullable=False),
    UniqueConstraint("cluster_id", "name"),
    comment="types of task events and their small ids; those of Celery's own are fixed (event_types.py)",
)

task_look = Table(
    "task_look",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column("key", UUID, nullable=False),
    Column("looks", SmallInteger, nullable=False),
    _time("next_at", null=False),
    PrimaryKeyConstraint("cluster_id", "key"),
    comment="unfinished tasks that were looked up in the result backend, and when they are to be again",
)

# In an order without padding, and without a null, whose bitmap would cost eight bytes a row. No cluster: workers and
# names are of one, and two bytes more are eight in a row without fields.
task_event = Table(
    "task_event",
    metadata,
    _time("at", null=False),
    Column("clock", BigInteger, nullable=False),
    Column("task_id", BigInteger, nullable=False, comment="id of the row in task"),
    Column("digest", Integer, nullable=False),
    Column("worker_id", Integer, nullable=False, comment="0 for task-sent: its sender is a client"),
    Column("pid", Integer, nullable=False),
    Column("lag", REAL, nullable=False, comment="seconds from its time to the collector that received it"),
    Column("name_id", Integer, nullable=False, comment="under which the event counts; 0: it was not known yet"),
    Column("type", SmallInteger, nullable=False, comment="id of event_type"),
    Column("fields", Text, nullable=False, comment="everything else that the event carries (packing.py, repeats.py)"),
    postgresql_partition_by="RANGE (at)",
    comment="every task event as it came, once (batch.py), append-only, a partition a day",
)

# Not unique: the four entries of a task then share one key. What makes the rows unique is a lock, see merge.py.
Index("ix_task_event_task_id", task_event.c.task_id)
Index("ix_task_event_at", task_event.c.at, postgresql_using="brin", postgresql_with={"pages_per_range": 32})


def _names_and_workers() -> list[Column[Any]]:
    return [
        Column("name_id", Integer, nullable=False, comment="0: no event has told the name yet"),
        Column("worker_id", Integer, nullable=False, comment="0: sent by a client"),
    ]


def _either() -> list[Column[Any]]:
    return [
        Column("by", SmallInteger, nullable=False, comment="1: of a name, 2: of a worker (counting.py)"),
        Column("id", Integer, nullable=False, comment="of the name or the worker; 0 as in rollup_1h"),
    ]


def _rollup(name: str, of: list[Column[Any]], comment: str) -> Table:
    return Table(
        name,
        metadata,
        Column("cluster_id", SmallInteger, nullable=False),
        _time("bucket", null=False),
        *of,
        Column("type", Text, nullable=False),
        Column("count", BigInteger, nullable=False),
        Column("runtime_count", BigInteger, nullable=False),
        Column("runtime_sum", Numeric, nullable=False, comment="seconds, in whole microseconds: exact"),
        PrimaryKeyConstraint("cluster_id", "bucket", *(column.name for column in of), "type"),
        comment=comment,
    )


rollup_1m = _rollup(
    "rollup_1m",
    _names_and_workers(),
    "events by minute of their own time; counted in the transaction that stores them, each once",
)
rollup_1h = _rollup("rollup_1h", _names_and_workers(), "rollup_1m by hour")
rollup_1h_by = _rollup("rollup_1h_by", _either(), "rollup_1h of a name at all workers, or of a worker with all names")


def _rollup_total(name: str, of: list[Column[Any]], comment: str) -> Table:
    return Table(
        name,
        metadata,
        Column("cluster_id", SmallInteger, nullable=False),
        *of,
        Column("type", Text, nullable=False),
        Column("count", BigInteger, nullable=False),
        PrimaryKeyConstraint("cluster_id", *(column.name for column in of), "type"),
        comment=comment,
    )


# By worker first: /metrics reads those of the workers that it shows.
rollup_total = _rollup_total(
    "rollup_total",
    _names_and_workers()[::-1],
    "rollup_1m over all time: what retention drops is still counted here, so it never falls",
)
rollup_total_by = _rollup_total(
    "rollup_total_by", _either(), "rollup_total of a name at all workers, or of a worker with all names"
)


def _histogram(name: str, of: list[Column[Any]], comment: str) -> Table:
    return Table(
        name,
        metadata,
        Column("cluster_id", SmallInteger, nullable=False),
        _time("bucket", null=False),
        *of,
        Column("measure", SmallInteger, nullable=False, comment="1: run time, 2: wait (histograms.py)"),
        Column("slot", SmallInteger, nullable=False, comment="the first bound that is not less (histograms.py)"),
        Column("count", BigInteger, nullable=False),
        Column("sum", Numeric, nullable=False, comment="seconds, in whole microseconds: exact"),
        PrimaryKeyConstraint("cluster_id", "bucket", *(column.name for column in of), "measure", "slot"),
        comment=comment,
    )


histogram_1m = _histogram(
    "histogram_1m",
    _names_and_workers(),
    "run times by minute of the success, waits by minute of the first start; counted as rollup_1m",
)
histogram_1h = _histogram("histogram_1h", _names_and_workers(), "histogram_1m by hour")
histogram_1h_by = _histogram(
    "histogram_1h_by", _either(), "histogram_1h of a name at all workers, or of a worker with all names"
)


def _histogram_total(name: str, of: list[Column[Any]], comment: str) -> Table:
    return Table(
        name,
        metadata,
        Column("cluster_id", SmallInteger, nullable=False),
        *of,
        Column("measure", SmallInteger, nullable=False, comment="1: run time (histograms.py)"),
        Column("slot", SmallInteger, nullable=False, comment="the first bound that is not less (histograms.py)"),
        Column("count", BigInteger, nullable=False),
        Column("sum", Numeric, nullable=False, comment="seconds, in whole microseconds: exact"),
        PrimaryKeyConstraint("cluster_id", *(column.name for column in of), "measure", "slot"),
        comment=comment,
    )


histogram_total = _histogram_total(
    "histogram_total", _names_and_workers()[::-1], "run times of histogram_1m over all time; never falls"
)
histogram_total_by = _histogram_total(
    "histogram_total_by", _either(), "histogram_total of a name at all workers, or of a worker with all names"
)
histogram_total_queue = Table(
    "histogram_total_queue",
    metadata,
    Column("cluster_id", SmallInteger, nullable=False),
    Column("queue_id", Integer, nullable=False, comment="0: no event has told the queue yet"),
    Column("name_id", Integer, nullable=False, comment="0: no event has told the name yet"),
    Column("measure", SmallInteger, nullable=False, comment="1: run time, 2: wait (histograms.py)"),
    Column("slot", SmallInteger, nullable=False, comment="the first bound that is not less (histograms.py)"),
    Column("count", BigInteger, nullable=False),
    Column("sum", Numeric, nullable=False, comment="seconds, in whole microseconds: exact"),
    PrimaryKeyConstraint("cluster_id", "queue_id", "name_id", "measure", "slot"),
    comment="run times and waits over all time by queue, as they were known first; never falls",
)


def _errors(name: str, comment: str) -> Table:
    return Table(
        name,
        metadata,
        Column("cluster_id", SmallInteger, nullable=False),
        _time("bucket", null=False),
        Column("group_id", Integer, nullable=False),
        Column("name_id", Integer, nullable=False, comment="0: no event has told the name yet"),
        Column("worker_id", Integer, nullable=False),
        Column("count", BigInteger, nullable=False),
        PrimaryKeyConstraint("cluster_id", "bucket", "group_id", "name_id", "worker_id"),
        comment=comment,
    )


error_1m = _errors("error_1m", "task-failed events by minute and error group; counted as rollup_1m")
error_1h = _errors("error_1h", "error_1m by hour")

queue_sample = Table(
    "queue_sample",
    metadata,
    Column("queue_id", Integer, ForeignKey("queue.id"), nullable=False),
    _time("at", null=False),
    Column("messages", BigInteger),
    Column("ready", BigInteger),
    Column("unacked", BigInteger),
    Column("consumers", Integer),
    Column("oldest_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("queue_id", "at"),
    postgresql_partition_by="RANGE (at)",
    comment="queue depth over time, a partition a day; null where the broker cannot tell",
)

error_group = Table(
    "error_group",
    metadata,
    _serial(),
    _cluster(),
    Column("fingerprint", UUID, nullable=False, comment="of exception type, normalised message, top frame"),
    Column("exception", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("frame", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="open", comment="open, resolved, ignored"),
    _time("first_at"),
    _time("last_at"),
    Column("count", BigInteger, nullable=False, server_default="0", comment="task-failed events"),
    Column("changed_at", DateTime(timezone=True), comment="when someone set its status"),
    Column("regressed_at", DateTime(timezone=True), comment="the failure that opened it again after it was resolved"),
    UniqueConstraint("cluster_id", "fingerprint"),
    comment="failures that are alike; its times are null while no failure of it is committed",
)

command = Table(
    "command",
    metadata,
    _serial(BigInteger),
    Column("cluster_id", SmallInteger, ForeignKey("cluster.id"), comment="null: concerns no cluster, a login say"),
    Column("kind", Text, nullable=False),
    Column("target", JSONB, nullable=False),
    Column("arguments", JSONB, nullable=False),
    Column("actor", Text, nullable=False),
    Column("origin", Text, nullable=False, comment="address, and session or token"),
    Column("reason", Text, nullable=False, server_default=""),
    _now("asked_at"),
    _time("expires_at", null=False),
    _time("claimed_at"),
    _time("ended_at"),
    Column("reply", JSONB),
    Column("claimed_by", UUID, comment="id of the collector that took it"),
    Column("outcome", Text, comment="done, failed, unknown (outbox.py); null before the end"),
    Column("payload", Text, comment="what must not stay: to be executed with, gone once it is taken"),
    Column("answer", Text, comment="what must not stay: for whoever asked, gone after a while"),
    comment="what someone asked for; the outbox of control and the audit log in one; a trigger keeps it append-only",
)

Index("ix_command_waiting", command.c.cluster_id, command.c.id, postgresql_where=command.c.claimed_at.is_(None))
Index("ix_command_asked", command.c.cluster_id, command.c.asked_at, command.c.id)
Index("ix_command_log", command.c.asked_at, command.c.id)
Index("ix_command_held", command.c.cluster_id, command.c.ended_at, postgresql_where=command.c.answer.is_not(None))

gap = Table(
    "gap",
    metadata,
    _serial(),
    _cluster(),
    _time("started_at", null=False),
    _time("ended_at", null=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("count", BigInteger, comment="events lost; null: not known"),
    Column("at_least", Boolean, nullable=False, server_default=text("false"), comment="more than count may be lost"),
    Column("identity", UUID, comment="what was lost, by where it begins: found again after a kill it is one gap"),
    UniqueConstraint("cluster_id", "identity"),
    comment="intervals in which events were or may have been lost",
)

Index("ix_gap_ended", gap.c.cluster_id, gap.c.ended_at)

process_beat = Table(
    "process_beat",
    metadata,
    Column("worker_id", Integer, nullable=False),
    Column("pid", Integer, nullable=False),
    _time("at", null=False),
    Column("clock", BigInteger, nullable=False),
    Column("processed", BigInteger, nullable=False, comment="tasks started since this process began"),
    Column("active", Integer, nullable=False, comment="-1: not told"),
    Column("online", Boolean, nullable=False, comment="the worker said that it came"),
    _time("received_at", null=False),
    _now("stored_at"),
    PrimaryKeyConstraint("worker_id", "pid", "at", "clock"),
    comment="signs of life of worker processes that the completeness audit has not weighed yet",
)

process = Table(
    "process",
    metadata,
    Column("worker_id", Integer, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("incarnation", Integer, nullable=False, comment="one more at each restart under the same pid"),
    _time("begun_at", null=False),
    _time("at", null=False),
    Column("clock", BigInteger, nullable=False),
    Column("processed", BigInteger, nullable=False),
    Column("active", Integer, nullable=False),
    _time("received_at", null=False),
    _time("idle_at"),
    Column("idle_clock", BigInteger, nullable=False),
    PrimaryKeyConstraint("worker_id", "pid"),
    comment="worker processes, as far as the audit has come: the last heartbeat, and the last one with nothing active",
)

completeness = Table(
    "completeness",
    metadata,
    _serial(BigInteger),
    Column("cluster_id", SmallInteger, nullable=False),
    Column("worker_id", Integer, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("incarnation", Integer, nullable=False),
    Column("clock_from", BigInteger, nullable=False),
    Column("clock_to", BigInteger, nullable=False),
    _time("began_at", null=False),
    _time("ended_at", null=False),
    _time("received_from", null=False),
    _time("received_to", null=False),
    Column("processed", BigInteger, nullable=False, comment="tasks that the process says it started"),
    Column("seen", BigInteger, nullable=False, comment="task-started events of it in the log"),
    Column("missing", BigInteger, nullable=False),
    Column("repaired", BigInteger, nullable=False, server_default="0", comment="whose end the result backend knew"),
    Column("cause", Text, comment="a reason of `gap`; null where nothing is missing"),
    Column("gap_id", Integer, comment="the gap that explains it"),
    _now("checked_at"),
    UniqueConstraint("worker_id", "pid", "incarnation", "clock_from"),
    comment="the audit: what a worker process says it started, and what was seen of it; whole intervals are merged",
)

# Not by their end, which moves while a row grows.
Index("ix_completeness_began", completeness.c.cluster_id, completeness.c.began_at)
Index(
    "ix_completeness_missing",
    completeness.c.cluster_id,
    completeness.c.ended_at,
    postgresql_where=completeness.c.missing > 0,
)

set_aside = Table(
    "set_aside",
    metadata,
    _serial(BigInteger),
    _cluster(),
    _time("received_at", null=False),
    Column("reason", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("routing_key", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="at most 64 KiB of it"),
    comment="messages that could not be taken as they were",
)

Index("ix_set_aside_newest", set_aside.c.cluster_id, set_aside.c.id)

collector = Table(
    "collector",
    metadata,
    Column("id", UUID, primary_key=True),
    _cluster(),
    Column("hostname", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("promise", Text, nullable=False, comment="what this broker and set-up lets it promise, in a sentence"),
    _now("started_at"),
    _now("beat_at"),
    _time("stopped_at"),
    Column("stored", BigInteger, nullable=False, server_default="0"),
    Column("set_aside", BigInteger, nullable=False, server_default="0"),
    Column("lag", REAL, comment="seconds from the newest stored event's time to its commit"),
    Column("broker_away_at", DateTime(timezone=True), comment="since when its broker does not answer; null: it does"),
    Column("findings", JSONB, nullable=False, server_default="[]", comment="what is wrong with the way of events"),
    Column(
        "committed_at",
        DateTime(timezone=True),
        comment="everything sent until then is committed or on disk; null: the broker keeps it",
    ),
    comment="collector processes and their last sign of life",
)

leader = Table(
    "leader",
    metadata,
    Column("cluster_id", SmallInteger, ForeignKey("cluster.id"), primary_key=True),
    Column("collector_id", UUID, nullable=False),
    Column("until", DateTime(timezone=True), nullable=False, comment="another may take the place after it"),
)

api_token = Table(
    "api_token",
    metadata,
    _serial(),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("clusters", ARRAY(SmallInteger), comment="null: all"),
    Column("created_by", Text, nullable=False),
    _now("created_at"),
    _time("expires_at"),
    _time("revoked_at"),
    _time("used_at"),
)

access_attempt = Table(
    "access_attempt",
    metadata,
    Column("key", LargeBinary, primary_key=True, comment="digest of what is counted: an address, a name, both"),
    _time("since", null=False),
    Column("count", Integer, nullable=False),
    comment="attempts to get in, so that all replicas together let nobody guess (throttle.py)",
)

session_end = Table(
    "session_end",
    metadata,
    Column("key", Text, primary_key=True, comment="session:id, login:id, or subject:who for all that began before"),
    _now("ended_at"),
    _time("until", null=False),
    comment="sessions that were ended before their time; until: no such session can live longer",
)

federated_identity = Table(
    "federated_identity",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("email", Text, nullable=False, comment="empty where the provider did not prove one"),
    Column("groups", ARRAY(Text), nullable=False, comment="those that gave a role at the login"),
    Column("mark", Text, nullable=False, comment="changes with the provider"),
    _now("seen_at"),
    comment="who came in by a provider, as of their last login: what their API tokens may",
)

saved_view = Table(
    "saved_view",
    metadata,
    _serial(),
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False, comment="the query string of the page"),
    Column("shared", Boolean, nullable=False, server_default=text("false")),
    _now("created_at"),
    UniqueConstraint("owner", "name"),
)

setting = Table(
    "setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", JSONB, nullable=False),
    _now("changed_at"),
    comment="what all replicas must agree on and nobody configures, a session secret say",
)
