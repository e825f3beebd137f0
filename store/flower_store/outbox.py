"""Control as an outbox: what the API asks for is a row that a collector takes (`claims.py`) and answers.

The same row is the audit log: who, from where, why, what, on what, and with which outcome. A trigger keeps it
append-only. What may be secret is in it only while it is needed: arguments of tasks until a collector has taken them,
and results of tasks until whoever asked has read them.

    waiting ──▶ running ──▶ done | failed | unknown
       └──────▶ expired        └──▶ unknown, when the collector that took it is gone
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from flower_store import notices

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

ALIVE_FOR = timedelta(seconds=10)
"""A collector beats every two seconds; five missed beats and it counts as gone."""

DONE = "done"
FAILED = "failed"
"""It was not executed, and why is known."""
UNKNOWN = "unknown"
"""It was taken, and whether it took effect cannot be known."""
WAITING = "waiting"
RUNNING = "running"
EXPIRED = "expired"
"""Nobody took it in time; it was not and will not be executed."""

CONTROL = frozenset({
    "revoke", "rate_limit", "time_limit", "pool_grow", "pool_shrink", "pool_restart", "autoscale", "add_consumer",
    "cancel_consumer", "shutdown",
})  # fmt: skip
"""Kinds that workers answer: Celery's own remote control, by its names."""

SEND, APPLY_ASYNC, APPLY = "send_task", "apply_async", "apply"
"""Kinds that send a task: with options as they are, with options read as `apply_async` takes them, and with a wait."""
ABORT = "abort"

PURGE = "purge_queue"
"""The kind that deletes what waits in a queue, which the broker answers."""

LOOKUP = "result"
"""The kind that asks the result backend: it changes nothing, so it is no part of the audit log and goes soon."""

OPTIONS = frozenset({
    "queue", "exchange", "routing_key", "countdown", "eta", "expires", "priority", "time_limit", "soft_time_limit",
    "serializer", "headers", "ignore_result", "shadow", "group_id", "root_id", "parent_id", "reply_to", "link",
    "link_error", "chain", "chord", "delivery_mode", "expiration", "mandatory", "retries", "argsrepr", "kwargsrepr",
    "correlation_id",
})  # fmt: skip
"""What may be said about a task that is sent (Celery's manual, `Task.apply_async`), apart from its id."""

PEEK = "peek_queue"
"""The kind that shows what waits in a queue, to whoever asked alone; who looked stays in the log."""

ERROR_GROUP = "error_group"
"""The kind that says what becomes of a group of errors, which the API does itself."""

KINDS = (*sorted(CONTROL), SEND, APPLY_ASYNC, APPLY, ABORT, PURGE, PEEK, ERROR_GROUP, LOOKUP)
"""Every kind of a cluster's commands."""

LONGEST_WAIT = timedelta(minutes=10)
"""How long a result is waited for, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody asks for. `payload` is a text that is gone from the row once a collector has taken it."""

    cluster_id: int
    kind: str
    target: Mapping[str, object]
    arguments: Mapping[str, object] = field(default_factory=dict)
    payload: str | None = None
    actor: str
    origin: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """A command that is in the log. Where no collector lives, it has expired already: it is never executed late."""

    id: int
    heard: bool


async def issue(connection: "AsyncConnection", asked: Asked, *, expires: timedelta) -> Issued:
    """Add it, to be taken within `expires`, and wake the collectors; committed when this returns.

    Raises Unavailable: it may or may not be there.
    """
    row = (
        await connection.execute(
            _ISSUE,
            {
                "cluster": asked.cluster_id,
                "kind": asked.kind,
                "target": json.dumps(asked.target),
                "arguments": json.dumps(asked.arguments),
                "payload": asked.payload,
                "actor": asked.actor,
                "origin": asked.origin,
                "reason": asked.reason,
                "expires": expires,
                "alive": ALIVE_FOR,
                "channel": notices.ASKED,
            },
        )
    ).one()
    await connection.commit()
    return Issued(*row)


async def withdraw(connection: "AsyncConnection", command_id: int) -> bool:
    """Let it expire at once; False where a collector has taken it already. Committed when this returns."""
    gone = await connection.execute(_WITHDRAW, {"id": command_id})
    await connection.commit()
    return gone.first() is not None


_ISSUE = text("""
WITH living AS (
  SELECT EXISTS (
    SELECT FROM collector WHERE cluster_id = :cluster AND stopped_at IS NULL AND beat_at > now() - :alive
  ) AS there
), issued AS (
  INSERT INTO command (cluster_id, kind, target, arguments, payload, actor, origin, reason, expires_at)
  SELECT :cluster, :kind, CAST(:target AS jsonb), CAST(:arguments AS jsonb),
    CASE WHEN there THEN CAST(:payload AS text) END, :actor, :origin, :reason,
    CASE WHEN there THEN now() + :expires ELSE now() END
  FROM living RETURNING id
)
SELECT id, there FROM issued, living, (SELECT pg_notify(:channel, CAST(:cluster AS text))) AS told
""")

_WITHDRAW = text("""
UPDATE command SET expires_at = least(expires_at, clock_timestamp()), payload = NULL
WHERE id = :id AND claimed_at IS NULL RETURNING id
""")
