"""From publishing an event to seeing it in the API: p50, p95 and p99 at 1,000 and 5,000 events a second.

A client asks `/api/task/info` of the real API process for a task that is published beside the load, again and again
until it is there. What the client waits between two questions is part of what is measured.
"""

import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import count
from uuid import uuid4

from bench.load import lines
from bench.load.sender import Sender
from bench.load.traffic import Event, Message, Traffic
from bench.stage import ours, servers
from bench.stage.options import Options
from bench.stage.report import Report

EVENTS_A_TASK = 4.2
ASK_EVERY = 0.01
PATIENCE = 30.0
PAUSE = 0.05
"""Seconds between one probe seen and the next published, so that they fall anywhere in a batch."""


def main(options: Options) -> None:
    report = Report("latency", options)
    seconds = options.choose(quick=6.0, medium=20.0, full=120.0)
    report.note(f"{seconds:.0f} s at each rate; a probe not seen for {PATIENCE:.0f} s counts as that long")
    with servers.postgres() as postgres, servers.rabbit() as node:
        for _ in range(options.runs):
            for rate in (1_000, 5_000):
                with servers.vhost(node) as url, servers.database(postgres) as database:
                    _measure(report, url, database, rate, seconds)
    report.finish()


def _measure(report: Report, url: str, database: str, rate: int, seconds: float) -> None:
    tasks = round(rate * seconds / EVENTS_A_TASK)
    traffic = Traffic(tasks=tasks, start=time.time(), rate=rate / EVENTS_A_TASK)
    with ours.collector(url, database), ours.api(database) as api, Sender(url, traffic, rate=rate) as sender:
        sender.begin()
        with lines.line(url) as line:
            waits = list(_waits(line, sender, api.port))
        sent = sender.finish()
    cuts = statistics.quantiles(waits, n=100, method="inclusive")
    for percent in (50, 95, 99):
        report.add(f"p{percent} at {rate:,} events/s", cuts[percent - 1] * 1000, unit="ms")
    report.add(f"offered at {rate:,} events/s", sent.rate)


def _waits(line: lines.Line, sender: Sender, port: int) -> Iterator[float]:
    """Seconds for one probe after the other, while the load runs."""
    numbers = count(1)
    while sender.sending:
        task_id = str(uuid4())
        began = time.time()
        line.send(line.encoded(_probe(task_id, next(numbers), began)), 1)
        while not _seen(port, task_id) and time.time() < began + PATIENCE:
            time.sleep(ASK_EVERY)
        yield time.time() - began
        time.sleep(PAUSE)


def _probe(task_id: str, clock: int, at: float) -> Message:
    event: Event = {
        "hostname": "celery@probe", "utcoffset": 0.0, "pid": 1, "clock": clock, "uuid": task_id, "name": "bench.probe",
        "args": "()", "kwargs": "{}", "root_id": task_id, "parent_id": None, "retries": 0, "eta": None,
        "expires": None, "timestamp": at, "type": "task-received",
    }  # fmt: skip
    return Message("task.multi", "celery@probe", (event,), alone=False)


def _seen(port: int, task_id: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/task/info/{task_id}", timeout=PATIENCE):
            return True
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return False
        raise
