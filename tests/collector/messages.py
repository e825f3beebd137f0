"""Messages for tests, with only the fields that matter to the test."""

import base64
import json
from datetime import UTC, datetime, timedelta

from flower_collector.message import Message, Origin, Unacknowledged
from flower_store.reasons import Reason

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=3)
"""Of a day that is still kept, whenever the tests run: events older than --retention-events are told, not stored."""

TASK = "00000000-0000-4000-8000-000000000001"


def fields(**changed: object) -> dict[str, object]:
    """A task-received event as Celery 5.7 sends it."""
    return {
        "type": "task-received", "uuid": TASK, "hostname": "celery@a", "timestamp": NOON.timestamp(), "pid": 7,
        "clock": 3, "utcoffset": 0, "name": "app.add", "args": "(1, 2)", "kwargs": "{}", "retries": 0, **changed,
    }  # fmt: skip


def body(**changed: object) -> bytes:
    """The same as JSON, NaN and lone surrogates included, as Python writes it."""
    return json.dumps(fields(**changed)).encode()


def message(
    content: bytes,
    *,
    content_type: str = "application/json",
    content_encoding: str = "utf-8",
    compression: str = "",
    origin: Origin | None = None,
    tag: int = 0,
    fault: Reason | None = None,
    received_at: datetime = NOON,
) -> Message:
    return Message(
        body=content,
        content_type=content_type,
        content_encoding=content_encoding,
        compression=compression,
        routing_key="task.multi",
        received_at=received_at,
        origin=Unacknowledged() if origin is None else origin,
        tag=tag,
        fault=fault,
    )


def wrapped(content: bytes, **changed: object) -> dict[str, object]:
    """The envelope in which kombu 5 publishes an event on Redis."""
    return {
        "body": base64.b64encode(content).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"hostname": "celery@a"},
        "properties": {
            "delivery_mode": 1,
            "delivery_info": {"exchange": "celeryev", "routing_key": "worker.heartbeat"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": "1",
        },
        **changed,
    }
