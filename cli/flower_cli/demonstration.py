"""`flower demo`: a Celery cluster of our own at work, and all of `flower up` beside it.

Nothing here is anybody else's: database and broker are private, and logs lie in the data directory. The history
stays there and is shown again by the next demo.
"""

import shutil
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from flower_cli import errors, logs, machine, orphans
from flower_cli.child import Child
from flower_cli.configuration import Configuration
from flower_cli.demo import workload
from flower_cli.embedded import errors as embedded_errors
from flower_cli.embedded.broker import Broker
from flower_cli.embedded.lock import DirectoryLock
from flower_cli.machine import Machine
from flower_cli.progress import Progress
from flower_cli.settings import DemoSettings, MachineSettings
from flower_cli.stopping import Stop, Stopped
from flower_cli.up import Pair, embedded_postgres
from flower_store import database, workers
from flower_store.errors import Unavailable

# Celery's imports alone take seconds, in three workers at once.
WORKERS_PATIENCE = timedelta(seconds=20)
OWN_NAMES = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "CELERY_APP", "RATE", "PORT")


def run(configuration: Configuration) -> None:
    """Run until a signal comes; raises Refused or Failed."""
    logs.start(configuration)
    pair = Pair.planned(configuration)
    rate = configuration.settings(DemoSettings).rate
    home = configuration.settings(MachineSettings).directory("demo")
    lock = _locked(home)
    progress = Progress(sys.stdout, live=sys.stdout.isatty())
    with lock, _scratch(home) as scratch, Stop() as stop, Machine(configuration, stop=stop, progress=progress) as tree:
        try:
            _start(configuration, tree, pair, home=home, scratch=scratch, rate=rate, stop=stop)
            progress.say(f"Flower is up at {pair.api.url}")
            tree.watch()
        except Stopped:
            return


def _locked(home: Path) -> DirectoryLock:
    """Ours for as long as we live: two demos would write into one another's logs."""
    lock = DirectoryLock(home)
    try:
        lock.take()
    except embedded_errors.EmbeddedError as error:
        raise errors.Refused(str(error)) from error
    return lock


@contextmanager
def _scratch(home: Path) -> Generator[Path]:
    """Where workers keep what is temporary: a worker that is stopped as ours are leaves it behind (Celery 5.7)."""
    scratch = home / "tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(exist_ok=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _start(
    configuration: Configuration, tree: Machine, pair: Pair, *, home: Path, scratch: Path, rate: float, stop: Stop
) -> None:
    logs_in = home / "logs"
    logs_in.mkdir(exist_ok=True)
    store = tree.serve("PostgreSQL", embedded_postgres(configuration, "demo", stop=stop))
    tree.migrate(store)
    broker = tree.serve("the broker", Broker(home / "broker", wait=stop.pause))
    # With the application, so that a task that is sent from here takes its routes, and with its results.
    cluster = {"broker": broker, "app": workload.APP, "result_backend": broker, "spool_dir": str(home / "spool")}
    pair.start(tree, store, logs_in=logs_in, changes=cluster)
    celery = {"CELERY_BROKER_URL": broker, "CELERY_RESULT_BACKEND": broker, "RATE": str(rate), "TMPDIR": str(scratch)}
    environment = machine.environment(celery, without=OWN_NAMES)
    tree.run(*(_worker(worker, environment, logs_in) for worker in workload.WORKERS))
    pair.await_ready(tree)
    tree.await_ready("starting three Celery workers", _workers_online(store), patience=WORKERS_PATIENCE)
    # The last: the collector listens before the first task is sent, so that the demo's history has no holes.
    tree.run(
        Child(
            "producer",
            workload.producer_command(),
            environment,
            log=logs_in / "producer.log",
            stop_signal=workload.STOP_PRODUCER,
        )
    )


def _worker(worker: workload.Worker, environment: dict[str, str], logs_in: Path) -> Child:
    return Child(
        f"worker {worker.name}",
        [*worker.command(), "--include", orphans.__name__],
        environment,
        log=logs_in / f"worker-{worker.name}.log",
        stop_signal=workload.STOP_WORKER,
        # A worker that stops while its broker is gone looks for it for ever (Celery 5.7, seen with SIGQUIT).
        death_signal=signal.SIGKILL,
    )


def _workers_online(database_url: str) -> Callable[[], str]:
    """Ask the store, as the API does, which may want a login: it must know every worker, and as online."""

    def waiting_for() -> str:
        try:
            with database.connect(database_url) as connection:
                online = {name.partition("@")[0] for name in workers.online(connection)}
        except Unavailable:
            return "the database does not answer"
        missing = [worker.name for worker in workload.WORKERS if worker.name not in online]
        return f"still not online: {', '.join(missing)}" if missing else ""

    return waiting_for
