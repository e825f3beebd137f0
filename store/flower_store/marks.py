"""Marks on tasks on which nobody seems to work: lost, ended unseen, stuck, overdue.

A mark is a judgement of ours and no event: it stands in a table of its own, touches no register, and holds only for
the state and the time of the last event that it was made for. Any later event makes it void at once; a worker that
comes back, at the next look.

- **lost**: started by a process that is gone, or was restarted since.
- **ended_unseen**: started by a process that had nothing active at a later heartbeat: the run has ended, untold
  (`raise Ignore()`, or its end was lost). It stays so when the worker goes afterwards.
- **stuck**: received by a worker that is gone; or received, with no time to wait for, for too long.
- **overdue**: its ETA has passed and nobody has started it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, LiteralString
from uuid import UUID

from flower_store import notices, writes

LOST: Final = "lost"
ENDED_UNSEEN: Final = "ended_unseen"
STUCK: Final = "stuck"
OVERDUE: Final = "overdue"

KINDS: Final = (LOST, ENDED_UNSEEN, STUCK, OVERDUE)

SENTENCES: Final = {
    (LOST, "worker_gone"): "Its worker is gone: nobody works on it any more.",
    (LOST, "worker_restarted"): "Its worker was restarted: nobody works on it any more.",
    (ENDED_UNSEEN, "worker_idle"): "It has ended, and no event told how: its worker had nothing left to do.",
    (STUCK, "worker_gone"): "The worker that received it is gone; the broker may give it to another one.",
    (STUCK, "received_long_ago"): "A worker received it long ago and has not started it.",
    (OVERDUE, "eta_passed"): "Its time has come, and no worker has started it.",
}


def sentence(kind: str, reason: str) -> str:
    """What a mark means, for people."""
    return SENTENCES.get((kind, reason)) or f"{kind.replace('_', ' ').capitalize()}: {reason.replace('_', ' ')}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """After which time what is called what.

    `lost_after` a worker counts as gone; `unseen_after` an idle heartbeat was stored, since its events may be late.
    """

    lost_after: timedelta = timedelta(seconds=10)
    unseen_after: timedelta = timedelta(seconds=4)
    stuck_after: timedelta = timedelta(hours=1)
    overdue_after: timedelta = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sweep is: among which tasks, and after which of them."""

    sweep: int = 0
    at: datetime | None = None
    key: UUID | None = None


SWEEPS: Final = ("STARTED", "RECEIVED", "due")


def sweep(store: writes.Writer, place: Place, limits: Limits, *, most: int = 5_000) -> Place | None:
    """Judge the next tasks behind a place; gives the next place, None after the last task of all."""
    name = SWEEPS[place.sweep]
    parameters: dict[str, object] = {
        "state": name,
        "at": place.at,
        "key": place.key,
        "most": most,
        "lost": limits.lost_after,
        "unseen": limits.unseen_after,
        "stuck": limits.stuck_after,
        "overdue": limits.overdue_after,
    }
    with store.session() as connection:
        parameters["cluster"] = store.cluster_id
        last = connection.execute(_JUDGE_DUE if name == "due" else _JUDGE_STATE, parameters).fetchone()
        changed = last is not None and last[3]
        more = last is not None and last[2] == most
        if not more and place.sweep + 1 == len(SWEEPS):
            changed = connection.execute(_FORGET, parameters).rowcount or changed
        if changed:
            with connection.cursor() as cursor:
                notices.send(cursor, store.cluster_id)
    if last is not None and more:
        return Place(place.sweep, last[0], last[1])
    return Place(place.sweep + 1) if place.sweep + 1 < len(SWEEPS) else None


_PIECE_STATE: LiteralString = """
SELECT t.*, seen_at AS place FROM task t WHERE cluster_id = %(cluster)s AND state = %(state)s
  AND (%(at)s::timestamptz IS NULL OR seen_at >= %(at)s AND (seen_at, key) > (%(at)s, %(key)s))
ORDER BY seen_at, key LIMIT %(most)s
"""

_PIECE_DUE: LiteralString = """
SELECT t.*, due_at AS place FROM task t WHERE cluster_id = %(cluster)s AND due_at < now() - %(overdue)s
  AND due_at IS NOT NULL AND state IN ('PENDING', 'RETRY')
  AND (%(at)s::timestamptz IS NULL OR due_at >= %(at)s AND (due_at, key) > (%(at)s, %(key)s))
ORDER BY due_at, key LIMIT %(most)s
"""

# `begun_at` is the first heartbeat that was seen: of a first incarnation no proof that it began no earlier.
# Times of one process are compared with times of the same host; only ETA and "too long" are held against our clock.
# A worker of which nobody knows whether it lives (it sends no heartbeats and was not asked) is not gone.
# A process that was idle has proved that the run ended, whatever became of it later: the mark itself keeps that, since
# the process's row moves on or goes. The next process under the same pid proves nothing; where the audit has not
# weighed its heartbeats yet, it is known by the rules of `intervals.py`.
_JUDGE: LiteralString = """
, gone AS (
  SELECT p.key, w.alive_until < now() - %(lost)s AS gone,
    CASE WHEN w.offline_at >= w.heartbeat_at THEN w.offline_at ELSE w.alive_until END AS gone_at,
    CASE WHEN p.state = 'STARTED' THEN (
      SELECT min(q.begun_at) FROM process q WHERE q.worker_id = p.started_worker_id AND q.begun_at > p.started_at
      AND CASE WHEN q.pid = p.started_pid THEN q.incarnation > 1 ELSE NOT EXISTS (
        SELECT FROM process o WHERE o.worker_id = q.worker_id AND o.pid = p.started_pid AND o.at >= q.begun_at
      ) END
    ) END AS restarted_at,
    CASE WHEN p.state = 'STARTED' AND p.started_clock > 0 THEN (
      SELECT min(i.at) FROM (
        SELECT idle_at AS at, idle_clock AS clock FROM process o
        WHERE o.worker_id = p.started_worker_id AND o.pid = p.started_pid
        AND (o.begun_at <= p.started_at OR o.incarnation = 1)
        UNION ALL
        SELECT b.at, b.clock FROM process_beat b
        LEFT JOIN process o ON o.worker_id = b.worker_id AND o.pid = b.pid
        WHERE b.worker_id = p.started_worker_id AND b.pid = p.started_pid AND b.active = 0
        AND b.stored_at < now() - %(unseen)s
        AND NOT coalesce(o.incarnation > 1 AND o.begun_at > p.started_at AND o.begun_at <= b.at, false)
        AND NOT coalesce(b.at > o.at AND (b.clock <= o.clock OR b.processed < o.processed), false)
        AND NOT EXISTS (
          SELECT FROM process_beat n WHERE n.worker_id = b.worker_id AND n.pid = b.pid
          AND n.online AND n.processed = 0 AND n.at > p.started_at AND n.at <= b.at
        )
        UNION ALL
        SELECT m.since, p.started_clock + 1 FROM task_mark m
        WHERE m.cluster_id = %(cluster)s AND m.key = p.key AND m.kind = 'ended_unseen'
        AND (m.state, m.last_at) = (p.state, p.last_at)
        AND NOT EXISTS (
          SELECT FROM process o WHERE o.worker_id = p.started_worker_id AND o.pid = p.started_pid
          AND o.incarnation > 1 AND o.begun_at > p.started_at AND o.begun_at <= m.since
        )
      ) i WHERE i.clock > p.started_clock AND i.at >= p.started_at - interval '1 s'
    ) END AS idle_at
  FROM piece p LEFT JOIN worker w
    ON w.id = CASE WHEN p.state = 'STARTED' THEN p.started_worker_id ELSE p.received_worker_id END
), judged AS (
  SELECT p.key, p.state, p.last_at, m.*
  FROM piece p JOIN gone g USING (key) LEFT JOIN LATERAL (
    SELECT * FROM (VALUES
      (1, 'ended_unseen', 'worker_idle', g.idle_at, g.idle_at IS NOT NULL),
      (2, 'lost', 'worker_restarted', g.restarted_at, p.state = 'STARTED' AND g.restarted_at IS NOT NULL),
      (3, 'lost', 'worker_gone', g.gone_at, p.state = 'STARTED' AND g.gone),
      (4, 'stuck', 'worker_gone', g.gone_at, p.state = 'RECEIVED' AND g.gone),
      (5, 'overdue', 'eta_passed', p.due_at, p.state <> 'STARTED' AND p.due_at < now() - %(overdue)s),
      (6, 'stuck', 'received_long_ago', p.received_at, p.state = 'RECEIVED' AND p.received_at < now() - %(stuck)s
        AND p.due_at IS NULL)
    ) AS v (rank, kind, reason, since, holds) WHERE holds ORDER BY rank LIMIT 1
  ) m ON true
), unmarked AS (
  DELETE FROM task_mark m USING judged j WHERE m.cluster_id = %(cluster)s AND m.key = j.key AND j.kind IS NULL
  RETURNING 1
), marked AS (
  INSERT INTO task_mark AS m (cluster_id, key, kind, reason, since, state, last_at)
  SELECT %(cluster)s, key, kind, reason, since, state, last_at FROM judged WHERE kind IS NOT NULL
  ORDER BY key
  ON CONFLICT (cluster_id, key) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, since = excluded.since,
    state = excluded.state, last_at = excluded.last_at, marked_at = now()
  WHERE (m.kind, m.reason, m.state, m.last_at)
    IS DISTINCT FROM (excluded.kind, excluded.reason, excluded.state, excluded.last_at)
  RETURNING 1
)
SELECT place, key, count(*) OVER (), (SELECT count(*) FROM marked) + (SELECT count(*) FROM unmarked)
FROM piece ORDER BY place DESC, key DESC LIMIT 1
"""

_JUDGE_STATE: LiteralString = "WITH piece AS MATERIALIZED (" + _PIECE_STATE + ")" + _JUDGE
_JUDGE_DUE: LiteralString = "WITH piece AS MATERIALIZED (" + _PIECE_DUE + ")" + _JUDGE

_FORGET: LiteralString = """
DELETE FROM task_mark m WHERE cluster_id = %(cluster)s AND (
  m.kind = 'overdue' AND m.since > now() - %(overdue)s OR
  NOT EXISTS (SELECT FROM task t WHERE t.cluster_id = m.cluster_id AND t.key = m.key AND t.state = m.state)
)
"""
