"""The bare loop: kombu's own consumer, which decodes each message and drops it. Nothing can be received faster with it.

    python -m bench.stage.kombu_loop URL QUEUE EVENTS PREFETCH

It says `ready`, takes so many events and prints as JSON how many and when. An empty QUEUE subscribes as Celery's own
receiver does, for brokers without queues. A PREFETCH of 0 takes without acknowledgements; else each message is
acknowledged as kombu's consumers do it, one by one.
"""

import json
import sys
import time
from typing import Any

import kombu
from celery.events.event import get_exchange

_kombu: Any = kombu  # it ships no types

SILENCE = 3.0
"""Seconds without a message after which the rest counts as lost."""


def queue(connection: Any, name: str) -> Any:
    if name:
        return _kombu.Queue(name, no_declare=True)
    exchange = get_exchange(connection)
    return _kombu.Queue("bench.kombu", exchange, routing_key="#", auto_delete=True, durable=False)


def main(url: str, name: str, events: str, prefetch: str) -> None:
    wanted, received, last = int(events), 0, 0.0

    def take(body: Any, message: Any) -> None:
        nonlocal received, last
        received += len(body) if isinstance(body, list) else 1
        last = time.time()
        if int(prefetch):
            message.ack()

    with _kombu.Connection(url) as connection:
        consumer = _kombu.Consumer(
            connection, [queue(connection, name)], callbacks=[take], no_ack=not int(prefetch), accept=["json"],
            prefetch_count=int(prefetch) or None,
        )  # fmt: skip
        began = time.time()
        consumer.consume()
        print("ready", flush=True)
        while received < wanted:
            try:
                connection.drain_events(timeout=SILENCE)
            except TimeoutError:
                if received:
                    break
    print(json.dumps({"received": received, "began": began, "ended": last}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
