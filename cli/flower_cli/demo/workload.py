"""What the demo starts besides Flower: three workers on four queues, and the producer.

Each command needs CELERY_BROKER_URL and CELERY_RESULT_BACKEND in its environment.
"""

import signal
import sys
from dataclasses import dataclass

APP = "flower_cli.demo.app"
# The producer ends at once; workers give running tasks two seconds (SIGTERM would wait for the long report).
STOP_PRODUCER = signal.SIGTERM
STOP_WORKER = signal.SIGQUIT
# Tasks mostly wait, so two processes a worker keep up with 80 tasks a second on two cores.
CONCURRENCY = 2


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker: its name before the `@`, and the queues it consumes."""

    name: str
    queues: tuple[str, ...]

    def command(self) -> list[str]:
        """The program and its arguments."""
        return [
            *(sys.executable, "-m", "celery", "-A", APP, "worker"),
            *("--hostname", f"{self.name}@%h", "--queues", ",".join(self.queues)),
            *("--concurrency", str(CONCURRENCY), "--task-events", "--loglevel", "WARNING"),
        ]


# The slow tasks of `media` and `reports` share one worker: its pool is sometimes full, as in real life.
WORKERS = (
    Worker("shop", ("orders",)),
    Worker("post", ("mail", "orders")),
    Worker("studio", ("media", "reports")),
)


def producer_command() -> list[str]:
    """The program and its arguments; it reads RATE."""
    return [sys.executable, "-m", "flower_cli.demo.producer"]
