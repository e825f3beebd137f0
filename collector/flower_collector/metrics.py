"""Every metric of the collector, in a registry of its own. Labels are bounded sets; none names a task or a worker."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_EVENTS = (1, 5, 10, 50, 100, 500, 1_000, 2_000, 5_000, 10_000)


class Metrics:
    """One collector's metrics."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._inputs()
        self._outputs()
        self._states()

    def _inputs(self) -> None:
        self.messages = Counter(
            "flower_collector_messages_received", "Messages taken from the broker", registry=self.registry
        )
        self.taken_over = Counter(
            "flower_collector_entries_taken_over",
            "Redis, durable mode: entries taken over from a collector that was silent",
            registry=self.registry,
        )
        self.events = Counter(
            "flower_collector_events_received",
            "Events found in messages: task, worker, or not_kept (talk among workers)",
            ["group"],
            registry=self.registry,
        )
        self.aside = Counter(
            "flower_collector_events_set_aside",
            "Messages and events that could not be taken as they were, by reason",
            ["reason"],
            registry=self.registry,
        )
        self.clocks_clamped = Counter(
            "flower_collector_clocks_clamped",
            "Events whose logical clock was senseless and was put to 0",
            registry=self.registry,
        )
        self.probe_seconds = Histogram(
            "flower_collector_probe_seconds",
            "From a collector's probe being sent to its being read from the broker",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.dropped = Counter(
            "flower_collector_messages_dropped",
            "Messages lost because the buffer was full while the database was away",
            registry=self.registry,
        )
        self.spooled = Counter(
            "flower_collector_messages_spooled",
            "Messages that went by the disk because memory was full",
            registry=self.registry,
        )
        self.spool_dropped = Counter(
            "flower_collector_spool_messages_dropped",
            "Messages lost because the spool on disk was full",
            registry=self.registry,
        )
        self.spool_failures = Counter(
            "flower_collector_spool_failures",
            "Times the spool could not be opened, written or read; meanwhile memory has to do",
            registry=self.registry,
        )
        self.reconnects = Counter(
            "flower_collector_reconnects", "Times the broker had to be connected to again", registry=self.registry
        )

    def _outputs(self) -> None:
        self.stored = Counter(
            "flower_collector_events_stored", "Task events new to the store's log", registry=self.registry
        )
        self.overflowed = Counter(
            "flower_collector_names_overflowed",
            "Names past their bound that were counted as (overflow), by kind; one in each batch that holds it",
            ["kind"],
            registry=self.registry,
        )
        self.batches = Counter(
            "flower_collector_batches",
            "Batches by outcome: written, bisected (the database refused an event), given_back",
            ["outcome"],
            registry=self.registry,
        )
        self.write_failures = Counter(
            "flower_collector_write_failures",
            "Attempts to write a batch that failed for want of the database",
            registry=self.registry,
        )
        self.batch_events = Histogram(
            "flower_collector_batch_events", "Events in a batch", buckets=_EVENTS, registry=self.registry
        )
        self.batch_seconds = Histogram(
            "flower_collector_batch_seconds",
            "Time to commit a batch",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.gaps = Counter(
            "flower_collector_gaps",
            "Intervals recorded in which events were or may have been lost",
            ["reason"],
            registry=self.registry,
        )

        self.processes_forgotten = Counter(
            "flower_collector_processes_forgotten",
            "Processes of workers that were forgotten because one worker had too many of them",
            registry=self.registry,
        )
        self.starts_missing = Counter(
            "flower_collector_starts_missing",
            "Task starts that workers counted and that were not seen when their interval was audited",
            registry=self.registry,
        )

        self.too_old = Counter(
            "flower_collector_events_too_old",
            "Events older than the log reaches back: they updated their task but were neither logged nor counted",
            registry=self.registry,
        )
        self.deleted = Counter(
            "flower_collector_rows_deleted",
            "Rows deleted by retention, by its kind; of days of events an estimate",
            ["kind"],
            registry=self.registry,
        )
        self.reconciled = Counter(
            "flower_collector_tasks_reconciled",
            "Unfinished tasks that were closed with the state that the result backend knows",
            registry=self.registry,
        )
        self.commands = Counter(
            "flower_collector_commands",
            "Commands that were taken, by kind and outcome: done, failed, unknown",
            ["kind", "outcome"],
            registry=self.registry,
        )

        self.queue_seconds = Histogram(
            "flower_collector_queue_sample_seconds",
            "Time for the broker to say how full its queues are",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.queue_failures = Counter(
            "flower_collector_queue_sample_failures",
            "Times the broker did not say how full its queues are",
            registry=self.registry,
        )

    def _states(self) -> None:
        self.buffer_messages = Gauge(
            "flower_collector_buffer_messages", "Messages waiting in memory", registry=self.registry
        )
        self.buffer_bytes = Gauge(
            "flower_collector_buffer_bytes", "Bytes of messages waiting in memory", registry=self.registry
        )
        self.spool_messages = Gauge(
            "flower_collector_spool_messages", "Messages waiting on disk", registry=self.registry
        )
        self.spool_bytes = Gauge(
            "flower_collector_spool_bytes", "Bytes that the spool on disk has in use", registry=self.registry
        )
        self.lag = Gauge(
            "flower_collector_lag_seconds",
            "From the newest event's own time to its commit, at the last batch",
            registry=self.registry,
        )
        self.broker_connected = Gauge(
            "flower_collector_broker_connected", "1 while events are being received", registry=self.registry
        )
        self.database_available = Gauge(
            "flower_collector_database_available",
            "1 while the database answered the last time",
            registry=self.registry,
        )
        self.findings = Gauge(
            "flower_collector_findings",
            "1 while something is wrong with the way of events, by kind: probe_lost (our own events do not come back), "
            "events_elsewhere (workers publish where nobody listens), workers_silent (they only answer to control)",
            ["kind"],
            registry=self.registry,
        )
        self.queues = Gauge(
            "flower_collector_queues", "Queues of which the broker told the last time", registry=self.registry
        )
        self.leading = Gauge(
            "flower_collector_leader", "1 while this collector does the cluster's duties", registry=self.registry
        )
