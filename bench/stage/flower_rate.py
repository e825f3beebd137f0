"""What Flower 2 sustains on RabbitMQ: the highest offered rate at which it loses less than 0.1 %, found by halving."""

import math
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count

from tests.services.rabbitmq import RabbitMQ

from bench.load.sender import Sender
from bench.load.traffic import Traffic
from bench.stage import flower2, servers
from bench.stage.flower2 import Flower2
from bench.stage.options import Options
from bench.stage.report import Report

LOST = 0.001
SLOWEST, FASTEST = 500.0, 16_000.0
EVENTS_A_TASK = 4.2
FILL_RATE = 3_000.0
_seeds = count(10_000)

Place = Callable[[], AbstractContextManager[tuple[str, Flower2]]]
"""Gives a broker's URL and a Flower that listens to it."""


def measure(report: Report, options: Options, *, of: str) -> None:
    """Below its task limit and past it; `of` is the series that is set in relation to it."""
    seconds = options.choose(quick=6.0, medium=12.0, full=60.0)
    steps = options.choose(quick=3, medium=4, full=6)
    limit = options.choose(quick=2_000, medium=25_000, full=flower2.DEFAULT_TASKS)
    report.note(f"Flower: {seconds:.0f} s at each rate, {steps} rates; past its limit means past {limit:,} tasks")
    with servers.rabbit() as node:
        for _ in range(options.runs):
            report.add("Flower below its task limit", _sustained(_fresh(node), seconds, steps))
        with _filled(node, limit) as (url, flower):
            for _ in range(options.runs):
                found = _sustained(lambda: nullcontext((url, flower)), seconds, steps)
                report.add("Flower past its task limit", found)
    report.relate(of, ("Flower below its task limit", "Flower past its task limit"))


def _fresh(node: RabbitMQ) -> Place:
    """A new Flower for each rate: it forgets nothing by itself."""

    @contextmanager
    def place() -> Generator[tuple[str, Flower2]]:
        with servers.vhost(node) as url, flower2.running(url) as flower:
            yield url, flower

    return place


@contextmanager
def _filled(node: RabbitMQ, limit: int) -> Generator[tuple[str, Flower2]]:
    """One that holds as many tasks as it may, and has dropped some."""
    with servers.vhost(node) as url, flower2.running(url, max_tasks=limit) as flower:
        # Twice: what it loses meanwhile fills nothing.
        Sender(url, Traffic(tasks=2 * limit, seed=next(_seeds), start=time.time()), rate=FILL_RATE).send()
        flower.settled()
        yield url, flower


def _sustained(place: Place, seconds: float, steps: int) -> float:
    slow, fast = SLOWEST, FASTEST
    for _ in range(steps):
        rate = math.sqrt(slow * fast)
        with place() as (url, flower):
            slow, fast = (rate, fast) if _keeps_up(url, flower, rate, seconds) else (slow, rate)
    return slow


def _keeps_up(url: str, flower: Flower2, rate: float, seconds: float) -> bool:
    before = flower.settled()
    tasks = round(rate * seconds / EVENTS_A_TASK)
    traffic = Traffic(tasks=tasks, seed=next(_seeds), start=time.time(), rate=rate / EVENTS_A_TASK)
    sent = Sender(url, traffic, rate=rate).send()
    return flower.settled() - before > (1 - LOST) * sent.task_events
