"""Which way tasks of a name went last, for whoever sends one without the code that says which way they go."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from flower_store.dimensions import OVERFLOW

LOOKED_AT = 1_000
"""The newest tasks of the name among which one is looked for."""


@dataclass(frozen=True, slots=True)
class Route:
    """A queue; with the exchange and the routing key where the message went through one that has a name.

    Only a `task-sent` event tells these three, which clients send where `task_send_sent_event` is set.
    """

    queue: str
    exchange: str = ""
    routing_key: str = ""


async def last(connection: AsyncConnection, cluster_id: int, name: str) -> Route | None:
    """As the newest `task-sent` of the name tells; or else the only queue of the worker that had one last.

    None where neither is known: a worker that consumes several queues does not say from which one a task came.
    """
    parameters = {"cluster": cluster_id, "name": name, "most": LOOKED_AT, "overflow": OVERFLOW}
    for statement in (_SENT, _CONSUMED):
        row = (await connection.execute(statement, parameters)).first()
        if row is not None:
            return _route(*row)
    return None


def _route(queue: str, exchange: str, routing_key: str) -> Route:
    """The nameless exchange delivers to the queue that the routing key names (AMQP 0-9-1, 3.1.3.1)."""
    return Route(queue, exchange, routing_key) if exchange else Route(routing_key or queue)


_RECENT = """
WITH recent AS (
  SELECT seen_at, queue_id, exchange, routing_key, worker_id FROM task
  WHERE cluster_id = :cluster AND name_id = (SELECT id FROM task_name WHERE cluster_id = :cluster AND name = :name)
  ORDER BY seen_at DESC LIMIT :most
)
"""

_SENT = text(f"""{_RECENT}
SELECT q.name, coalesce(exchange, ''), coalesce(routing_key, '')
FROM recent JOIN queue q ON q.id = queue_id WHERE q.name <> :overflow ORDER BY seen_at DESC LIMIT 1
""")

_CONSUMED = text(f"""{_RECENT}, newest AS (
  SELECT worker_id FROM recent WHERE worker_id IS NOT NULL ORDER BY seen_at DESC LIMIT 1
)
SELECT reply->0->>'name', '', '' FROM worker_reply JOIN newest USING (worker_id)
WHERE method = 'active_queues' AND reply->0->>'name' IS NOT NULL AND reply->1 IS NULL
""")
