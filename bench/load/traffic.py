"""What the clients and workers of a busy cluster publish, message by message, the same for the same seed.

Sizes, fields and routing keys are those of captured traffic (Celery 5.7, prefork; tests/load holds them against real
workers). Clients publish each `task-sent` alone; a worker publishes its task events in lists, its heartbeats alone.
Lists hold at most 24 events (`celery.worker`), and how full they are depends on how busy the worker is: captured from
workers of two processes at full speed, 1.6 events on average.
"""

import heapq
import json
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from uuid import UUID

from bench.load import content

Event = dict[str, object]

LONGEST_LIST = 24
HEARTBEAT_EVERY = 2.0
FAILED = 0.03
RETRIED = 0.02


@dataclass(frozen=True, slots=True)
class Message:
    """One message: `events` of one process, sent as a list or, when `alone`, as the event itself."""

    routing_key: str
    hostname: str
    events: tuple[Event, ...]
    alone: bool

    @property
    def body(self) -> bytes:
        """As kombu serialises it."""
        return json.dumps(self.events[0] if self.alone else self.events).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A cluster's traffic; `prefix` keeps the names of processes apart where several streams run side by side.

    `rate` is how many tasks a second the events' own times tell of, whatever the speed at which they are sent.
    `in_list` is the mean number of events in a worker's lists. Without `sent`, clients publish nothing, which is
    Celery's default. `odd` is the share of tasks that end otherwise than most: revoked, expired, rejected, given back,
    and those that tell of their progress by events of their own.
    """

    tasks: int
    seed: int = 1
    start: float
    rate: float = 1_000.0
    workers: int = 8
    clients: int = 4
    in_list: float = 8.0
    odd: float = 0.0
    sent: bool = True
    prefix: str = "load"

    def messages(self) -> Iterator[Message]:
        """All messages, in the order in which they are published."""
        return _Cluster(self).messages()


@dataclass(slots=True)
class Totals:
    """What a stream held: the model that a store is compared with."""

    messages: int = 0
    tasks: set[str] = field(default_factory=set)
    types: Counter[str] = field(default_factory=Counter)

    def add(self, message: Message) -> None:
        self.messages += 1
        for event in message.events:
            self.types[str(event["type"])] += 1
            if "uuid" in event:
                self.tasks.add(str(event["uuid"]))

    @property
    def task_events(self) -> int:
        return sum(number for kind, number in self.types.items() if kind.startswith("task-"))


@dataclass(slots=True)
class _Process:
    """A client or a worker's main process. `clock` is its Lamport clock."""

    hostname: str
    pid: int
    clock: int = 0
    active: int = 0
    processed: int = 0
    waiting: list[Event] = field(default_factory=list)
    list_size: int = 1


@dataclass(frozen=True, slots=True)
class _Step:
    kind: str
    uuid: str
    fields: Mapping[str, object]


class _Cluster:
    """Runs the stories in the order of time."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._random = random.Random(traffic.seed)
        self._order = count()
        self._due: list[tuple[float, int, _Process, _Step]] = []
        self._clients = [
            _Process(f"gen{number + 900}@{traffic.prefix}", number + 900) for number in range(traffic.clients)
        ]
        self._workers = [
            _Process(f"celery@{traffic.prefix}-{number}", 100 + number) for number in range(traffic.workers)
        ]

    def messages(self) -> Iterator[Message]:
        traffic = self._traffic
        at = beat_at = traffic.start
        for process in self._workers:
            yield self._worker_event("online", process, at)
        for _ in range(traffic.tasks):
            self._begin(at)
            at += self._random.expovariate(traffic.rate)
            yield from self._until(at)
            if at >= beat_at:
                yield from self._beats(at)
                beat_at = at + HEARTBEAT_EVERY
        yield from self._until(math.inf)
        for process in self._workers:
            yield from self._flush(process)
        # The last heartbeats tell how many starts there were in all.
        yield from self._beats(at + HEARTBEAT_EVERY + content.LONGEST)

    def _begin(self, at: float) -> None:
        """A task's whole life, from the client's call on."""
        draw = self._random
        uuid = str(UUID(int=draw.getrandbits(128), version=4))
        told = content.description(draw, uuid)
        worker, client = draw.choice(self._workers), draw.choice(self._clients)
        if self._traffic.odd and draw.random() < self._traffic.odd:
            self._begin_odd(at, client, worker, told)
            return
        at = self._attempt(at, client, worker, told, retries=0)
        fate = draw.random()
        if fate < RETRIED:
            self._plan(at, worker, _Step("retried", uuid, content.failure(draw)))
            again = draw.choice(self._workers)
            at = self._attempt(at + 0.001, client, again, told, retries=1)
            self._plan(at, again, _Step("succeeded", uuid, content.success(draw)))
        elif fate < RETRIED + FAILED:
            self._plan(at, worker, _Step("failed", uuid, content.failure(draw)))
        else:
            self._plan(at, worker, _Step("succeeded", uuid, content.success(draw)))

    def _begin_odd(self, at: float, client: _Process, worker: _Process, told: content.Description) -> None:
        draw = self._random
        fate = draw.choice(tuple(content.ODD))
        if fate == "expired":
            at = self._receive(at, client, worker, told, retries=0)
            self._plan(at, worker, _Step("revoked", told.uuid, content.ODD[fate]))
            return
        at = self._attempt(at, client, worker, told, retries=0)
        kind = "revoked" if fate == "terminated" else "rejected" if fate == "requeued" else fate
        self._plan(at, worker, _Step(kind, told.uuid, content.ODD[fate]))
        if fate in {"terminated", "rejected"}:
            return
        if fate in {"requeued", "cancelled"}:
            worker = draw.choice(self._workers)
            self._plan(at + 0.001, worker, _Step("received", told.uuid, told.received(0)))
            at += 0.002
            self._plan(at, worker, _Step("started", told.uuid, {}))
        self._plan(at + 0.001, worker, _Step("succeeded", told.uuid, content.success(draw)))

    def _attempt(
        self, at: float, client: _Process, worker: _Process, told: content.Description, *, retries: int
    ) -> float:
        """Sent, received, started; returns when it ends."""
        draw = self._random
        at = self._receive(at, client, worker, told, retries=retries)
        self._plan(at, worker, _Step("started", told.uuid, {}))
        return at + min(0.0005 + draw.expovariate(20.0), content.LONGEST)

    def _receive(
        self, at: float, client: _Process, worker: _Process, told: content.Description, *, retries: int
    ) -> float:
        """Sent, received; returns when it may start."""
        draw = self._random
        if self._traffic.sent:
            self._plan(at, client, _Step("sent", told.uuid, told.sent(retries)))
        at += 0.0005 + draw.expovariate(200.0)
        self._plan(at, worker, _Step("received", told.uuid, told.received(retries)))
        return at + 0.0005 + draw.expovariate(200.0)

    def _plan(self, at: float, process: _Process, step: _Step) -> None:
        heapq.heappush(self._due, (at, next(self._order), process, step))

    def _until(self, at: float) -> Iterator[Message]:
        while self._due and self._due[0][0] < at:
            when, _, process, step = heapq.heappop(self._due)
            event = self._event(process, f"task-{step.kind}", when, {"uuid": step.uuid, **step.fields})
            if step.kind == "sent":
                yield Message("task.sent", process.hostname, (event,), alone=True)
                continue
            self._account(process, step)
            process.waiting.append(event)
            if len(process.waiting) >= process.list_size:
                yield from self._flush(process)

    def _account(self, process: _Process, step: _Step) -> None:
        if step.kind == "started":
            process.processed += 1
            process.active += 1
        elif step.kind not in {"received", "progress"} and not step.fields.get("expired"):
            process.active -= 1

    def _flush(self, process: _Process) -> Iterator[Message]:
        if process.waiting:
            yield Message("task.multi", process.hostname, tuple(process.waiting), alone=False)
            process.waiting = []
        process.list_size = self._drawn_size()

    def _drawn_size(self) -> int:
        """Geometric, as captured, and cut where Celery cuts."""
        mean = self._traffic.in_list
        if mean <= 1:
            return 1
        drawn = 1 + int(math.log(1.0 - self._random.random()) / math.log(1.0 - 1.0 / mean))
        return min(drawn, LONGEST_LIST)

    def _beats(self, at: float) -> Iterator[Message]:
        return (self._worker_event("heartbeat", process, at) for process in self._workers)

    def _worker_event(self, kind: str, process: _Process, at: float) -> Message:
        fields = content.heartbeat(active=process.active, processed=process.processed)
        event = self._event(process, f"worker-{kind}", at, fields)
        return Message(f"worker.{kind}", process.hostname, (event,), alone=True)

    def _event(self, process: _Process, kind: str, at: float, fields: Mapping[str, object]) -> Event:
        process.clock += 1
        return {
            "hostname": process.hostname,
            "utcoffset": 0.0,
            "pid": process.pid,
            "clock": process.clock,
            **fields,
            "timestamp": at,
            "type": kind,
        }
