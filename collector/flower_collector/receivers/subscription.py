"""A subscription on Redis by way of a kombu connection, which knows of TLS, sockets, sentinels and credentials.

By redis-py's client, not kombu's: where there is a `global_keyprefix`, kombu's cannot read the answer to a ping of a
subscribed connection (kombu 5.7, redis-py 8). The prefix is therefore ours to write.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

import redis

from flower_collector import driver


@contextmanager
def subscribed(channel: driver.RedisChannel, *patterns: str) -> Generator[driver.Subscription]:
    """Subscribed to these patterns, their prefixes included; not yet confirmed."""
    client = cast("driver.RedisClient", redis.Redis(connection_pool=cast("redis.ConnectionPool", channel.pool)))
    subscription = client.pubsub()
    try:
        subscription.psubscribe(*patterns)
        yield subscription
    finally:
        subscription.close()
