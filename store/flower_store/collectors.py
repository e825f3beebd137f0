"""Which collectors of a cluster run, by their own word."""

from uuid import UUID

from flower_store import writes


def others_may_run(writer: writes.Writer, than: UUID) -> bool:
    """Whether another collector beat within the last ten seconds and has not said that it stopped.

    It may have been killed since: only a further beat of it is proof of life (`Writer.last_beat`).
    """
    with writer.session() as connection:
        row = connection.execute(_RUNNING, (writer.cluster_id, than)).fetchone()
        return bool(row and row[0])


_RUNNING = """
SELECT EXISTS (
  SELECT FROM collector WHERE cluster_id = %s AND id <> %s AND stopped_at IS NULL AND beat_at > now() - interval '10 s'
)
"""
