"""The process that sends: encodes its stream, says `ready`, and sends when it reads a line on its standard input.

    python -m bench.load.publish URL '{"tasks": 1000, "seed": 1}' [EVENTS_A_SECOND]

Its last line tells as JSON what it sent and how long that took. A rate of 0 is full speed.
"""

import json
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from bench.load import lines
from bench.load.traffic import Traffic

A_SLICE = 20
"""Messages that are sent at once: at 5,000 events a second a slice is 10 ms of them."""

AHEAD = 20_000
"""Slices that are encoded before the first is sent, 100 MB or so; a longer stream is encoded on the way."""


class Slice(NamedTuple):
    encoded: bytes
    messages: int
    events: int
    task_events: int


def slices(traffic: Traffic, line: lines.Line) -> Iterator[Slice]:
    messages = traffic.messages()
    while part := list(islice(messages, A_SLICE)):
        yield Slice(
            b"".join(map(line.encoded, part)),
            len(part),
            sum(len(message.events) for message in part),
            sum(len(message.events) for message in part if message.routing_key.startswith("task.")),
        )


def send(line: lines.Line, parts: Iterator[Slice], rate: float) -> dict[str, float]:
    """Send at that many events a second; a slice that is late is sent at once, so the rate holds on average."""
    began = time.time()
    messages = events = task_events = 0
    for part in parts:
        if rate:
            ahead = began + events / rate - time.time()
            if ahead > 0:
                time.sleep(ahead)
        line.send(part.encoded, part.messages)
        messages += part.messages
        events += part.events
        task_events += part.task_events
    line.settle()
    return {"began": began, "ended": time.time(), "messages": messages, "events": events, "task_events": task_events}


def main(url: str, traffic: str, rate: str = "0") -> None:
    with lines.line(url) as line:
        stream = slices(Traffic(**json.loads(traffic)), line)
        first = list(islice(stream, AHEAD))
        print("ready", flush=True)
        sys.stdin.readline()

        def parts() -> Iterator[Slice]:
            yield from first
            yield from stream

        print(json.dumps(send(line, parts(), float(rate))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
