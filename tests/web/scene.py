"""A cluster for the pages' tests: tasks told by their events, workers, and an hour in which a lot happened."""

import hashlib
import random
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from flower_store import moments
from flower_store.events import TaskEvent, WorkerEvent
from flower_store.writes import Instance, Writer

HOSTS = ("celery@worker-1.example", "celery@worker-2.example", "celery@reports.example")
MAILS, REPORTS = "mail", "reports"
NAMES = (
    ("shop.emails.send_receipt", MAILS),
    ("shop.emails.send_newsletter_to_subscriber", MAILS),
    ("shop.orders.capture_payment", "default"),
    ("shop.orders.reserve_stock", "default"),
    ("shop.search.reindex_product", "default"),
    ("shop.reports.render_monthly_statement", REPORTS),
)
TRACEBACK = """Traceback (most recent call last):
  File "/srv/venv/lib/python3.11/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/shop/orders.py", line 88, in capture_payment
    return gateway.capture(order.reference, order.total)
  File "/srv/shop/gateway.py", line 41, in capture
    raise PaymentDeclined(f"order {reference}: card was declined")
shop.gateway.PaymentDeclined: order 104288: card was declined
"""


def now() -> datetime:
    """The moment in which the scene stands."""
    return datetime.now(UTC)


def event(kind: str, task_id: str, at: datetime, *, host: str = HOSTS[0], **fields: object) -> TaskEvent:
    """One task event as the collector's decoder gives it."""
    digest = hashlib.blake2b(f"{kind}{task_id}{at}{fields}".encode(), digest_size=4).digest()
    return TaskEvent(
        type=f"task-{kind}",
        task_id=task_id,
        hostname=host,
        pid=4711,
        micros=moments.micros(at),
        clock=1,
        digest=int.from_bytes(digest, "big", signed=True),
        received=moments.micros(at) + 12_000,
        fields=fields,
    )


def a_life(
    task_id: str,
    sent: datetime,
    *,
    name: str = NAMES[0][0],
    queue: str = MAILS,
    host: str = HOSTS[0],
    waits: tuple[float, float] = (0.02, 0.3),
    runs: float = 1.2,
    end: str = "succeeded",
    fields: Mapping[str, object] | None = None,
    **described: object,
) -> list[TaskEvent]:
    """Sent, received, started and ended; `end` may also be `received` or `started`, where it stops."""
    received = sent + timedelta(seconds=waits[0])
    started = received + timedelta(seconds=waits[1])
    what = {"name": name, "args": "(104288,)", "kwargs": "{'locale': 'de'}", "retries": 0} | described
    told = [
        event("sent", task_id, sent, host="gen42@web-1.example", queue=queue, routing_key=queue, **what),
        event("received", task_id, received, host=host, **what),
    ]
    if end == "received":
        return told
    told.append(event("started", task_id, started, host=host))
    if end == "started":
        return told
    outcome: dict[str, object] = {"runtime": runs, "result": "'delivered'"} if end == "succeeded" else {}
    outcome.update(fields or {})
    return [*told, event(end, task_id, started + timedelta(seconds=runs), host=host, **outcome)]


def a_failure(task_id: str, sent: datetime, *, host: str = HOSTS[0]) -> list[TaskEvent]:
    """A failed task with exception and traceback."""
    told = {"exception": "PaymentDeclined('order 104288: card was declined')", "traceback": TRACEBACK}
    return a_life(task_id, sent, name=NAMES[2][0], queue="default", host=host, end="failed", runs=0.84, fields=told)


def a_retry(task_id: str, sent: datetime, *, tries: int = 3, host: str = HOSTS[1]) -> list[TaskEvent]:
    """Retried until it succeeded at the last of its tries."""
    told: list[TaskEvent] = []
    for number in range(tries):
        last = number == tries - 1
        error = {"exception": "ConnectTimeout('search: no answer in 2 s')", "traceback": TRACEBACK}
        told += a_life(
            task_id,
            sent + timedelta(seconds=20 * number),
            name=NAMES[4][0],
            queue="default",
            host=host,
            runs=2.1,
            end="succeeded" if last else "retried",
            fields={} if last else error,
            retries=number,
        )
    return told


def an_hour(until: datetime, *, tasks: int = 1200, seed: int = 7) -> Iterator[TaskEvent]:
    """Many lives, spread over the hour before `until` and thicker in its middle."""
    chance = random.Random(seed)
    for number in range(tasks):
        task_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        sent = until - timedelta(seconds=chance.triangular(3, 3600, 1500))
        yield from _some_life(task_id, sent, number, until, chance)


def _some_life(task_id: str, sent: datetime, number: int, until: datetime, chance: random.Random) -> list[TaskEvent]:
    host = HOSTS[number % 3]
    if number % 23 == 0:
        return a_failure(task_id, sent, host=host)
    if number % 31 == 0:
        return [each for each in a_retry(task_id, sent, host=host) if each.at <= until]
    name, queue = NAMES[number % len(NAMES)]
    waits = (chance.expovariate(20), chance.expovariate(2))
    runs = chance.lognormvariate(-0.5, 1.1)
    end = "revoked" if number % 53 == 0 else "succeeded"
    fields = {"terminated": True, "signum": "SIGTERM", "expired": False} if end == "revoked" else None
    told = a_life(task_id, sent, name=name, queue=queue, host=host, waits=waits, runs=runs, end=end, fields=fields)
    return [each for each in told if each.at <= until]


def a_heartbeat(host: str, at: datetime, *, kind: str = "heartbeat", active: int = 2) -> WorkerEvent:
    """A worker's sign of life."""
    return WorkerEvent(
        type=f"worker-{kind}",
        hostname=host,
        pid=4711,
        at=at,
        clock=1,
        received_at=at,
        freq=2.0,
        active=active,
        processed=18_233,
        loadavg=(0.42, 0.51, 0.48),
        sw_ident="py-celery",
        sw_ver="5.7.0",
        sw_sys="Linux",
    )


REPLIES: Mapping[str, object] = {
    "stats": {"pool": {"implementation": "celery.concurrency.prefork:TaskPool", "max-concurrency": 4}},
    "active_queues": [{"name": "default"}, {"name": MAILS}],
}


def furnish(writer: Writer, at: datetime, *, tasks: int = 1200) -> None:
    """Workers, a collector at work, and an hour of tasks."""
    writer.connect()
    writer.ensure_partitions(at)
    beats = [a_heartbeat(host, at, active=number) for number, host in enumerate(HOSTS, 1)]
    gone = at - timedelta(minutes=12)
    beats += [
        a_heartbeat("celery@old.example", gone - timedelta(seconds=2)),
        a_heartbeat("celery@old.example", gone, kind="offline"),
    ]
    writer.write([], beats)
    writer.write_replies(dict.fromkeys(HOSTS, REPLIES), silence=timedelta(minutes=5))
    told = sorted(an_hour(at, tasks=tasks), key=lambda each: each.at)
    writer.write(told)
    writer.beat(COLLECTOR, stored=len(told), aside=0, lag=timedelta(milliseconds=40))


COLLECTOR = Instance(
    id=uuid.UUID(int=1), hostname="collector-1", pid=1, version="3.0.0", promise="nothing is lost while one runs"
)
