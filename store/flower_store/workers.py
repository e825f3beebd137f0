"""Workers' signs of life, as the collector writes them.

`alive_until` is in the database's clock, so that a worker with a wrong clock is neither alive for ever nor dead at
birth; which of two heartbeats is newer is decided by the worker's own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import LiteralString

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy import Connection, text

from flower_store import beats
from flower_store.events import WorkerEvent

HEARTBEATS_MISSED = 5
"""Heartbeats that may be missed before a worker counts as gone; Flower's two made workers flap under load."""

SHORTEST_SILENCE = timedelta(seconds=10)


def silence_allowed(freq: float | None) -> timedelta:
    """How long a worker with this heartbeat interval (seconds) may say nothing."""
    return max(SHORTEST_SILENCE, timedelta(seconds=HEARTBEATS_MISSED * min(freq or 0.0, 3600.0)))


_BEAT = """
UPDATE worker SET
  pid = %(pid)s, heartbeat_at = %(at)s, heartbeat_clock = %(clock)s, freq = %(freq)s, active = %(active)s,
  processed = %(processed)s, loadavg = %(loadavg)s, sw_ident = %(sw_ident)s, sw_ver = %(sw_ver)s,
  sw_sys = %(sw_sys)s, utcoffset = %(utcoffset)s, seen_at = now(),
  alive_until = CASE WHEN offline_at >= %(at)s THEN alive_until ELSE now() + %(silence)s END
WHERE id = %(id)s AND (heartbeat_at IS NULL OR (heartbeat_at, heartbeat_clock) < (%(at)s, %(clock)s))
"""

_OFFLINE = """
UPDATE worker SET
  offline_at = %(at)s, seen_at = now(),
  alive_until = CASE WHEN heartbeat_at > %(at)s THEN alive_until ELSE least(alive_until, now()) END
WHERE id = %(id)s AND (offline_at IS NULL OR offline_at < %(at)s)
"""

_LOG = """
INSERT INTO worker_event (worker_id, type, at, pid) VALUES (%(id)s, %(type)s, %(at)s, %(pid)s)
ON CONFLICT DO NOTHING
"""


def write(connection: psycopg.Connection, events: Sequence[WorkerEvent], ids: Mapping[str, int]) -> None:
    """Move the workers' rows forward; comings and goings are also logged. Inside the batch's transaction."""
    rows = sorted((_row(event, ids[event.hostname]) for event in events), key=lambda row: (row["id"], row["at"]))
    with connection.cursor() as cursor:
        _many(cursor, _BEAT, _newest(row for row in rows if row["type"] != "worker-offline"))
        _many(cursor, _OFFLINE, _newest(row for row in rows if row["type"] == "worker-offline"))
        _many(cursor, _LOG, [row for row in rows if row["type"] in {"worker-online", "worker-offline"}])
    beats.write(connection, events, ids)


def online(connection: Connection) -> list[str]:
    """The hostnames of the workers that are alive, of every cluster."""
    return list(connection.scalars(text("SELECT hostname FROM worker WHERE alive_until > now()")))


def _many(cursor: psycopg.Cursor, statement: LiteralString, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        cursor.executemany(statement, rows)


def _newest(rows: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    """The last row of each worker, in the order of their ids."""
    return list({row["id"]: row for row in rows}.values())


def _row(event: WorkerEvent, worker_id: int) -> dict[str, object]:
    row: dict[str, object] = {name: getattr(event, name) for name in event.__struct_fields__}
    return row | {"id": worker_id, "loadavg": list(event.loadavg), "silence": silence_allowed(event.freq)}


_REPLY = """
INSERT INTO worker_reply (worker_id, method, reply, replied_at) VALUES (%s, %s, %s, now())
ON CONFLICT (worker_id, method) DO UPDATE SET reply = excluded.reply, replied_at = excluded.replied_at
"""

# Who has sent a heartbeat of late is judged by heartbeats: a worker killed right after it answered would otherwise look
# alive for as long as one without heartbeats may. Five minutes, since heartbeat_at is in the worker's clock.
_ANSWERED = """
UPDATE worker SET seen_at = now(), alive_until = greatest(alive_until, now() +
  CASE WHEN heartbeat_at > now() - interval '5 minutes' THEN least(%s, make_interval(secs => greatest(%s, %s * freq)))
  ELSE %s END)
WHERE id = ANY(%s)
"""


def write_replies(
    connection: psycopg.Connection, replies: Mapping[int, Mapping[str, object]], *, silence: timedelta
) -> None:
    """Store inspect replies by worker id and method; who answered is alive for `silence`, heartbeats or not."""
    rows = [(key, method, Jsonb(reply)) for key in sorted(replies) for method, reply in sorted(replies[key].items())]
    with connection.transaction(), connection.cursor() as cursor:
        shortest = SHORTEST_SILENCE.total_seconds()
        cursor.execute(_ANSWERED, (silence, shortest, HEARTBEATS_MISSED, silence, sorted(replies)))
        if rows:
            cursor.executemany(_REPLY, rows)


_LOST = """
INSERT INTO worker_event (worker_id, type, at, pid)
SELECT id, 'worker-lost', alive_until, coalesce(pid, 0) FROM worker
WHERE cluster_id = %s AND alive_until < now() AND alive_until > now() - %s
  AND (offline_at IS NULL OR offline_at < heartbeat_at)
ON CONFLICT DO NOTHING
"""

LOST_WITHIN = timedelta(days=7)
"""Who fell silent earlier, while no collector looked, is not logged: retention would delete it, again and again."""


def mark_lost(connection: psycopg.Connection, cluster_id: int) -> int:
    """Log the workers that fell silent without saying goodbye; returns how many are new."""
    return connection.execute(_LOST, (cluster_id, LOST_WITHIN)).rowcount
