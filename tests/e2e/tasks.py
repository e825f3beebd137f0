"""2,000 real tasks: sent, run by real workers, and their ends by the word of the result backend."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, cast

import redis
from tests.services import celery_app

NUMBER = 2_000
ENDED = {"SUCCESS", "FAILURE"}
# With none, Celery's own race shows: an attempt that ends before the attempt before it has stored its RETRY leaves
# the result backend at RETRY for ever (seen in one of 300 tasks; the events tell it right).
COUNTDOWN = 1.0


class Run:
    """The tasks of one test. `expected` counts the events that their lives consist of."""

    def __init__(self, broker_url: str, result_backend: str, *, seed: int) -> None:
        self._client = celery_app.client(broker_url)
        # Not the pool's, which all apps of the process share and nobody closes.
        self._connection = self._client.connection_for_write()
        self._producer = self._client.amqp.Producer(self._connection, auto_declare=False)
        self._results = redis.Redis.from_url(result_backend)
        self._draw = random.Random(seed)
        self.ids: list[str] = []
        self.expected: Counter[str] = Counter()

    def send(self, number: int) -> None:
        """Send so many tasks: most succeed, some fail, some are retried before they succeed."""
        for _ in range(number):
            self._send(self._draw.choices(("add", "fail", "retry"), weights=(70, 15, 15))[0])

    def states(self) -> dict[str, str]:
        """What the result backend says of each task; "PENDING" where it knows nothing."""
        keys = [f"celery-task-meta-{one}" for one in self.ids]
        found = cast("Sequence[bytes | None]", self._results.mget(keys))
        states = (json.loads(one)["status"] if one else "PENDING" for one in found)
        return dict(zip(self.ids, states, strict=True))

    def ended(self) -> bool:
        return set(self.states().values()) <= ENDED

    def _send(self, kind: str) -> None:
        retries = self._draw.randint(1, 2) if kind == "retry" else 0
        tasks: dict[str, tuple[str, tuple[Any, ...]]] = {
            "add": ("tests.add", (1, 2)),
            "fail": ("tests.fail", (len(self.ids),)),
            "retry": ("tests.retry_then_succeed", (retries, COUNTDOWN)),
        }
        name, arguments = tasks[kind]
        self.ids.append(self._client.send_task(name, arguments, producer=self._producer).id)
        attempts = Counter({f"task-{event}": retries + 1 for event in ("sent", "received", "started")})
        end = "task-failed" if kind == "fail" else "task-succeeded"
        self.expected += attempts + Counter({end: 1, "task-retried": retries})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._results.close()
        self._connection.release()
