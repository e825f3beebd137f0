"""A load on a broker, from a process of its own, and what it published."""

import json
import signal
import sys
import time
import zlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, TypedDict

from bench.load.traffic import Event
from tests.faults import stream
from tests.faults.stream import Publication
from tests.services import workers

from flower_cli.embedded import process
from flower_cli.embedded.process import Process
from flower_store import moments
from flower_store.events import TaskEvent, WorkerEvent


class Line(TypedDict):
    """One window of the ledger (`generator.py`)."""

    attempted: int
    unconfirmed: list[int]


@dataclass(frozen=True, slots=True)
class Published:
    """Task events by their times, which name them: all that were attempted, and those that the broker confirmed.

    `workers` are the workers' signs of life, each with whether it was confirmed.
    """

    attempted: Mapping[datetime, TaskEvent]
    confirmed: frozenset[datetime]
    workers: Sequence[tuple[WorkerEvent, bool]] = ()


class Load:
    """Publishes from `start()` to `stop()`; `rate` in events a second, 0 for as fast as it goes."""

    def __init__(self, directory: Path, url: str, *, seed: int, rate: float) -> None:
        self._directory = directory
        self._url = url
        self._seed = seed
        self._rate = rate
        self._began = time.time_ns() // 1000
        self._process: Process | None = None

    def start(self) -> None:
        words = (self._url, self._seed, self._began, self._rate, self._ledger)
        command = [sys.executable, "-m", "tests.faults.generator", *map(str, words)]
        self._process = process.launch(
            command,
            self._directory / "generator.log",
            environment=workers.environment(""),
            stop_signal=signal.SIGTERM,
        )

    def stop(self) -> None:
        """Let it finish what it is at. May be called twice."""
        if self._process is not None:
            self._process.stop(timedelta(seconds=60))

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def confirmed(self) -> int:
        """Messages that the broker took so far."""
        lines = self._lines()
        return lines[-1]["attempted"] - sum(len(line["unconfirmed"]) for line in lines) if lines else 0

    def published(self) -> Published:
        """All until now, made again from the seed."""
        lines = self._lines()
        unconfirmed = {number for line in lines for number in line["unconfirmed"]}
        until = lines[-1]["attempted"]
        made = stream.publications(self._seed, began=self._began, rate=self._rate or stream.NOMINAL)
        return published(takewhile(lambda one: one.number < until, made), unconfirmed)

    @property
    def _ledger(self) -> Path:
        return self._directory / "ledger"

    def _lines(self) -> list[Line]:
        if not self._ledger.exists():
            return []
        text = self._ledger.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def published(publications: Iterable[Publication], unconfirmed: Container[int]) -> Published:
    """What these messages held; those with these numbers were never confirmed."""
    attempted: dict[datetime, TaskEvent] = {}
    confirmed: set[datetime] = set()
    workers: list[tuple[WorkerEvent, bool]] = []
    for publication in publications:
        events = {event.at: event for event in _task_events(publication.message.events)}
        attempted |= events
        came = publication.number not in unconfirmed
        if came:
            confirmed.update(events)
        workers += [(one, came) for one in _worker_events(publication.message.events)]
    return Published(attempted, frozenset(confirmed), workers)


def _task_events(events: tuple[Event, ...]) -> Iterator[TaskEvent]:
    """Made here and not by the collector's gate, which is under test."""
    for event in events:
        if "uuid" in event:
            yield TaskEvent(
                type=str(event["type"]), task_id=str(event["uuid"]), hostname=str(event["hostname"]),
                pid=_whole(event["pid"]), micros=stream.microseconds(event), clock=_whole(event["clock"]),
                digest=zlib.crc32(json.dumps(event).encode()) - 2**31, received=0,
                fields={name: value for name, value in event.items() if name not in _HEAD},
            )  # fmt: skip


def _worker_events(events: tuple[Event, ...]) -> Iterator[WorkerEvent]:
    for event in events:
        if "uuid" not in event:
            told: dict[str, Any] = {name: event[name] for name in _BEAT}
            at = moments.moment(stream.microseconds(event))
            yield WorkerEvent(at=at, received_at=at, **told)


_HEAD = ("type", "uuid", "hostname", "pid", "timestamp", "clock", "utcoffset")
_BEAT = (
    "type", "hostname", "pid", "clock", "freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys",
    "utcoffset",
)  # fmt: skip


def _whole(value: object) -> int:
    assert isinstance(value, int)
    return value
