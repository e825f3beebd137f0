"""What this set-up lets a collector promise, one sentence each: logged at start, shown with the collector."""

QUORUM_QUEUE = (
    "RabbitMQ, quorum queue: every event that the broker accepted is stored at least once and counted once; past the "
    "queue's bounds the oldest are dropped."
)
_FOUND = (
    "RabbitMQ, a queue that was there with other arguments, whose bounds it keeps until it is deleted and made anew: "
    "every event that the broker still holds is stored at least once and counted once; unless it is a quorum queue, a "
    "broker restart empties it. "
)
FOUND_QUEUE = _FOUND + "What it drops is not counted."
FOUND_QUEUE_COUNTED = _FOUND + "What it drops into the queue beside it is counted."
CLASSIC_QUEUE = (
    "AMQP broker without quorum queues: every event is stored at least once and counted once, except what is in the "
    "queue when the broker restarts."
)
SUBSCRIPTION = (
    "Redis publish/subscribe: nothing is lost while at least one collector is subscribed and keeps up; every gap is "
    "recorded. What the database does not take waits in memory, and on disk where there is a spool; past both the "
    "oldest is dropped and recorded."
)
STREAM = (
    "Redis, durable mode: every event that a worker with flower_worker appended is stored at least once and counted "
    "once, as far as Redis itself keeps it; what is trimmed unread is counted. Workers without it are not seen, "
    "and named where they answer to control."
)
STREAM_AND_SUBSCRIPTION = (
    "Redis, durable mode beside publish/subscribe: every event that a worker with flower_worker appended is stored at "
    "least once and counted once, as far as Redis itself keeps it; what is trimmed unread is counted. Of workers "
    "without it nothing is lost while at least one collector is subscribed and keeps up; every gap is recorded."
)
DURABLE = frozenset({STREAM, STREAM_AND_SUBSCRIPTION})
"""Promises of a collector that reads a stream."""
CONSUMED = (
    "Broker without acknowledgement of events: what is in a collector's memory when it dies is lost; where the "
    "transport cannot broadcast, there are no events at all."
)
