"""What a Celery cluster publishes, from a seed: the same seed gives the same messages, here and in another process.

Clients send task-sent one by one; prefork workers gather what their tasks do into `task.multi` lists of up to 24, and
send heartbeats. 3 % of tasks fail with a traceback, 2 % are retried. No two events have the same time, so a time (in
microseconds) names an event, whatever the store makes of it.
"""

import heapq
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from uuid import UUID

Fields = Mapping[str, object]

WORKERS = 4
LARGEST_LIST = 24
NOMINAL = 1_000.0
"""Events a second, by their own times, of a stream that is published as fast as it goes."""
HEARTBEAT_EVERY = 2.0
EVENTS_A_TASK = 4.1
TICK = 4
"""Microseconds between two times: floats of today's seconds are that fine, and no finer."""
NAMES = ("shop.orders.place", "shop.orders.ship", "mail.send", "reports.daily.build", "images.resize", "search.index")
TRACEBACK = "Traceback (most recent call last):\n" + "".join(
    f'  File "/srv/app/shop/part_{depth}.py", line {depth * 17}, in step\n    return self.next(order, {depth})\n'
    for depth in range(9)
)


@dataclass(frozen=True, slots=True)
class Publication:
    """One message: its place in the stream, and when it is due, in seconds after the start."""

    number: int
    due: float
    routing_key: str
    hostname: str
    events: tuple[Fields, ...]

    @property
    def body(self) -> bytes:
        """As Celery writes it: a list in `task.multi`, else one event."""
        content = list(self.events) if self.routing_key == "task.multi" else self.events[0]
        return json.dumps(content).encode()


def publications(seed: int, *, began: int, rate: float) -> Iterator[Publication]:
    """Messages without end, `rate` events a second from `began` on (microseconds since the epoch)."""
    return _Cluster(random.Random(seed), began, rate).publications()


def at_once(publication: Publication) -> Publication:
    """The same, due from the beginning."""
    return replace(publication, due=0.0)


def microseconds(event: Fields) -> int:
    """The time that names the event."""
    timestamp = event["timestamp"]
    assert isinstance(timestamp, float)
    return round(timestamp * 1_000_000)


@dataclass(slots=True)
class _Worker:
    hostname: str
    pid: int
    processed: int = 0
    active: int = 0
    flush_at: int = 1
    buffer: list[Fields] = field(default_factory=list[Fields])

    @property
    def common(self) -> Fields:
        return {"hostname": self.hostname, "pid": self.pid, "utcoffset": -9}


@dataclass(frozen=True, slots=True)
class _Task:
    id: str
    name: str
    args: str
    kwargs: str
    worker: _Worker

    def described(self, retries: int) -> Fields:
        parent = self.id if retries else None  # Celery: a retry is its own parent
        return {
            "uuid": self.id, "name": self.name, "args": self.args, "kwargs": self.kwargs, "retries": retries,
            "eta": None, "expires": None, "root_id": self.id, "parent_id": parent,
        }  # fmt: skip


class _Cluster:
    def __init__(self, chance: random.Random, began: int, rate: float) -> None:
        self._chance = chance
        self._began = began
        self._rate = rate
        self._workers = [_Worker(f"celery@w{number}", 1000 + number) for number in range(WORKERS)]
        self._plan: list[tuple[float, int, Callable[[], Iterator[Publication]]]] = []
        self._order = count()
        self._numbers = count()
        self._clock = count(1)
        self._now = 0.0
        self._last = 0

    def publications(self) -> Iterator[Publication]:
        self._later(0.0, self._new_task)
        for number, worker in enumerate(self._workers):
            self._later(HEARTBEAT_EVERY * number / WORKERS, partial(self._beat, worker))
        while True:
            self._now, _, act = heapq.heappop(self._plan)
            yield from act()

    def _later(self, seconds: float, act: Callable[[], Iterator[Publication]]) -> None:
        heapq.heappush(self._plan, (self._now + seconds, next(self._order), act))

    def _new_task(self) -> Iterator[Publication]:
        self._later(self._chance.expovariate(self._rate / EVENTS_A_TASK), self._new_task)
        chance = self._chance
        task = _Task(
            id=str(UUID(int=chance.getrandbits(128), version=4)),
            name=chance.choice(NAMES),
            args=f"({chance.getrandbits(40)}, '{'x' * chance.randrange(10, 120)}')",
            kwargs=f"{{'customer': {chance.getrandbits(30)}, 'dry_run': False}}",
            worker=chance.choice(self._workers),
        )
        self._later(self._moment(), lambda: self._receive(task, 0))
        sent = {
            **task.described(0), "hostname": "gen77@client", "pid": 77, "utcoffset": 0, "queue": "celery",
            "exchange": "", "routing_key": "celery",
        }  # fmt: skip
        yield self._single(self._event("task-sent", sent))

    def _receive(self, task: _Task, retries: int) -> Iterator[Publication]:
        self._later(self._moment(), lambda: self._start(task, retries))
        yield from self._buffered(task.worker, "task-received", task.described(retries))

    def _start(self, task: _Task, retries: int) -> Iterator[Publication]:
        task.worker.processed += 1
        task.worker.active += 1
        self._later(self._moment(), lambda: self._end(task, retries))
        yield from self._buffered(task.worker, "task-started", {"uuid": task.id})

    def _end(self, task: _Task, retries: int) -> Iterator[Publication]:
        task.worker.active -= 1
        fate = self._chance.random()
        failed = {"uuid": task.id, "exception": f"OrderError('{fate}')", "traceback": f"{TRACEBACK}OrderError: {fate}"}
        if fate < 0.03:
            yield from self._buffered(task.worker, "task-failed", failed)
        elif fate < 0.05 and retries < 3:
            self._later(self._moment(), lambda: self._receive(task, retries + 1))
            yield from self._buffered(task.worker, "task-retried", failed)
        else:
            result = {"uuid": task.id, "result": repr({"order": fate, "lines": [1, 2, 3]}), "runtime": fate}
            yield from self._buffered(task.worker, "task-succeeded", result)

    def _beat(self, worker: _Worker) -> Iterator[Publication]:
        self._later(HEARTBEAT_EVERY, lambda: self._beat(worker))
        told = {
            **worker.common, "freq": 2.0, "active": worker.active, "processed": worker.processed,
            "loadavg": [0.5, 0.4, 0.3], "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux",
        }  # fmt: skip
        yield self._single(self._event("worker-heartbeat", told))
        yield from self._flush(worker)

    def _buffered(self, worker: _Worker, kind: str, told: Fields) -> Iterator[Publication]:
        worker.buffer.append(self._event(kind, {**worker.common, **told}))
        if len(worker.buffer) >= worker.flush_at:
            yield from self._flush(worker)

    def _flush(self, worker: _Worker) -> Iterator[Publication]:
        if worker.buffer:
            events, worker.buffer = tuple(worker.buffer), []
            # Most lists hold one event or two; a busy loop fills some.
            worker.flush_at = self._chance.choice((1, 1, 1, 2, 2, 3, 6, LARGEST_LIST))
            yield Publication(next(self._numbers), self._now, "task.multi", worker.hostname, events)

    def _single(self, event: Fields) -> Publication:
        kind = str(event["type"]).replace("-", ".")
        return Publication(next(self._numbers), self._now, kind, str(event["hostname"]), (event,))

    def _event(self, kind: str, told: Fields) -> Fields:
        ticks = max(self._last + 1, int(self._now * 1_000_000 / TICK))
        self._last = ticks
        timestamp = (self._began // TICK * TICK + ticks * TICK) / 1_000_000
        return {"type": kind, "timestamp": timestamp, "clock": next(self._clock), **told}

    def _moment(self) -> float:
        return self._chance.expovariate(20)
