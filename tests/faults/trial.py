"""A trial: one collector process under load, harm done to its database, and the end, when all is there."""

import json
import logging
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from tests.collector.publishing import Publisher
from tests.e2e.collecting import CollectorProcess
from tests.faults import verdict
from tests.faults.load import Load
from tests.faults.vitals import Vitals
from tests.waiting import eventually

log = logging.getLogger(__name__)

QUEUE = "flower.default"
RATE = 400.0
"""Events a second: what a slow machine that others use, too, can publish and store at once."""
DRAINED_WITHIN = 240.0


@dataclass(frozen=True, slots=True)
class Trial:
    """What a test finds. `direct` gives the URL of the database itself, past whatever is put before it."""

    process: CollectorProcess
    load: Load
    vitals: Vitals
    broker_url: str
    direct: Callable[[], str]

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask the database itself, which is there."""
        with psycopg.connect(self.direct(), autocommit=True) as connection:
            found = connection.execute(statement.encode(), parameters or None)
            return found.fetchall() if found.description else []

    def stored(self) -> int:
        return int(self.query("SELECT count(*) FROM task_event")[0][0])

    def goes_on(self) -> None:
        """Wait until it is ready and more is stored than now."""
        eventually(self.process.ready)
        before = self.stored()
        eventually(lambda: self.stored() > before)

    def is_away(self) -> None:
        """Wait until it says that the database does not answer; it lives, and the broker's line is well."""
        eventually(lambda: truths(self.process, "readyz") == {"ok": False, "broker": True, "database": False})
        assert truths(self.process, "healthz")["ok"]

    def lives_through(self, seconds: float) -> None:
        """Until the time is over it lives, says that it is not ready, and events are published meanwhile."""
        published = self.load.confirmed()
        over = threading.Event()
        timer = threading.Timer(seconds, over.set)
        timer.start()
        while not over.wait(0.5):
            assert truths(self.process, "healthz")["ok"]
            assert not truths(self.process, "readyz")["ok"]
        assert self.load.confirmed() > published

    def all_is_there_once(self) -> None:
        """End the load, let the queue run empty, and judge. On Redis the broker keeps nothing: wait for all of it."""
        self.load.stop()
        if self.broker_url.startswith("redis"):
            self._catch_up()
        else:
            self._drain()
        judged = verdict.judge(self.direct(), self.load.published())
        log.info("%s; %s", judged, self.vitals)
        assert judged.clean, judged
        assert judged.acknowledged > 0
        assert self.query("SELECT reason, detail FROM set_aside") == []
        assert self.vitals.bounded, str(self.vitals)

    def _drain(self) -> None:
        """With no collector an empty queue stays empty, and what was taken from it is committed."""
        while True:
            eventually(self.process.ready, within=DRAINED_WITHIN)
            eventually(lambda: self._waiting() == 0, within=DRAINED_WITHIN)
            self.process.stop()
            if self._waiting() == 0:
                return
            self.process.launch()

    def _catch_up(self) -> None:
        confirmed = len(self.load.published().confirmed)
        eventually(lambda: self.stored() >= confirmed, within=DRAINED_WITHIN)
        self.process.stop()

    def _waiting(self) -> int:
        with Publisher(self.broker_url) as publisher:
            return publisher.waiting(QUEUE)


@contextmanager
def under_load(
    directory: Path,
    broker_url: str,
    database_url: str,
    *,
    direct: Callable[[], str],
    seed: int,
    settings: Mapping[str, str] | None = None,
) -> Generator[Trial]:
    """Begin with events that are stored; all processes are gone after the block."""
    process = CollectorProcess(directory, broker_url=broker_url, database_url=database_url, settings=settings)
    load = Load(directory, broker_url, seed=seed, rate=RATE)
    try:
        process.start()
        with Vitals(lambda: [process.pid] if process.running else []) as vitals:
            trial = Trial(process, load, vitals, broker_url, direct)
            load.start()
            eventually(lambda: trial.stored() > RATE)
            yield trial
    finally:
        load.stop()
        process.kill()


def truths(process: CollectorProcess, page: str) -> dict[str, bool]:
    """What the collector's own port says, such as of `readyz`; nothing while it does not listen."""
    try:
        text = process.page(page)
    except OSError:
        return {}
    found: dict[str, bool] = json.loads(text)
    return found


def metric(process: CollectorProcess, name: str) -> float:
    """The sum of a metric's lines; 0 of one that has none."""
    lines = [line.rpartition(" ") for line in process.page("metrics").splitlines() if not line.startswith("#")]
    return sum(float(value) for key, _, value in lines if key.partition("{")[0] == name)
