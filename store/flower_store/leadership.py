"""Who leads a cluster's collectors: whoever holds its lease, a row that must be renewed.

Not an advisory lock: behind a pool in transaction mode a session's lock stays with whichever connection of the pool
took it, so that nobody leads for as long as that lives.
"""

from datetime import timedelta
from uuid import UUID

from flower_store import writes

LEASE = timedelta(seconds=10)
"""How long a leader leads without renewing: five beats. The cluster is without one for so long when one is killed."""

_LEAD = """
INSERT INTO leader AS held (cluster_id, collector_id, until) VALUES (%(cluster)s, %(me)s, clock_timestamp() + %(lease)s)
ON CONFLICT (cluster_id) DO UPDATE SET collector_id = excluded.collector_id, until = excluded.until
WHERE held.collector_id = excluded.collector_id OR held.until < clock_timestamp()
"""

_RESIGN = "DELETE FROM leader WHERE cluster_id = %s AND collector_id = %s"


def try_lead(writer: writes.Writer, collector: UUID) -> bool:
    """Become, or stay, the cluster's leader for LEASE from now."""
    with writer.session() as connection:
        parameters = {"cluster": writer.cluster_id, "me": collector, "lease": LEASE}
        return connection.execute(_LEAD, parameters).rowcount == 1


def resign(writer: writes.Writer, collector: UUID) -> None:
    """Leave the place to another at once. Does nothing where this one does not lead."""
    with writer.session() as connection:
        connection.execute(_RESIGN, (writer.cluster_id, collector))
