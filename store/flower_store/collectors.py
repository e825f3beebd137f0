"""Which collectors of a cluster run, and what they had done, by their own word."""

from datetime import datetime
from typing import LiteralString
from uuid import UUID

from flower_store import writes


def others_may_run(writer: writes.Writer, than: UUID, *, known: datetime) -> bool:
    """Whether another collector, which had beaten by `known`, beat within the last ten seconds and did not stop.

    It may have been killed since: see `another_covers`.
    """
    with writer.session() as connection:
        row = connection.execute(_RUNNING, (writer.cluster_id, than, known)).fetchone()
        return bool(row and row[0])


_RUNNING = """
SELECT EXISTS (
  SELECT FROM collector
  WHERE cluster_id = %s AND id <> %s AND started_at <= %s AND stopped_at IS NULL AND beat_at > now() - interval '10 s'
)
"""


def another_covers(writer: writes.Writer, than: UUID, *, known: datetime, until: datetime) -> bool:
    """Whether another collector, which had beaten by `known`, had everything committed `until` then.

    One that came later tells nothing of the time before: `known` is the last beat that `than` found at its start. Nor
    does one that only runs on: what it has received and not committed, a kill loses.
    """
    values = {"cluster": writer.cluster_id, "than": than, "known": known, "until": until}
    with writer.session() as connection:
        row = connection.execute(_COVERS, values).fetchone()
        return bool(row and row[0])


_COVERS = """
SELECT EXISTS (
  SELECT FROM collector WHERE cluster_id = %(cluster)s AND id <> %(than)s AND started_at <= %(known)s
  AND coalesce(committed_at, beat_at) >= %(until)s
)
"""


def last_promise(writer: writes.Writer) -> str:
    """What the cluster's last collector promised; nothing where there was none."""
    with writer.session() as connection:
        row = connection.execute(_LAST_PROMISE, (writer.cluster_id,)).fetchone()
    return row[0] if row else ""


_LAST_PROMISE: LiteralString = "SELECT promise FROM collector WHERE cluster_id = %s ORDER BY beat_at DESC LIMIT 1"


def last_committed(writer: writes.Writer) -> datetime | None:
    """Until when everything sent to this cluster was committed, by its collectors' beats; None if there was none.

    Where the broker keeps events for them, that is the last beat.
    """
    with writer.session() as connection:
        row = connection.execute(_LAST_COMMITTED, (writer.cluster_id,)).fetchone()
    return row[0] if row else None


_LAST_COMMITTED: LiteralString = "SELECT max(coalesce(committed_at, beat_at)) FROM collector WHERE cluster_id = %s"
