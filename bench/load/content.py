"""What the events of the load say: names, arguments, results and tracebacks of ordinary applications."""

import random
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST = 2.0
"""Seconds that a task runs at most."""

_APPS = ("shop", "mail", "billing", "search", "media")
_VERBS = ("send", "index", "render", "import", "charge", "sync", "clean", "notify")
NAMES = tuple(f"{app}.tasks.{verb}_{noun}" for app in _APPS for verb in _VERBS for noun in ("order", "report"))
_WEIGHTS = tuple(1.0 / (rank + 1) for rank in range(len(NAMES)))
_CUMULATIVE = tuple(sum(_WEIGHTS[: rank + 1]) for rank in range(len(NAMES)))
QUEUES = ("celery", "mail", "slow")
_WORDS = ("invoice", "Köln", "customer", "pending", "EUR", "retry-after", "2026-11-20", "warehouse", "express")


@dataclass(frozen=True, slots=True)
class Description:
    """What is told of a task when it is sent and received."""

    uuid: str
    name: str
    args: str
    kwargs: str
    queue: str

    def sent(self, retries: int) -> Mapping[str, object]:
        return {
            "uuid": self.uuid, "root_id": self.uuid, "parent_id": self._parent(retries), "name": self.name,
            "args": self.args, "kwargs": self.kwargs, "retries": retries, "eta": None, "expires": None,
            "queue": self.queue, "exchange": "", "routing_key": self.queue,
        }  # fmt: skip

    def received(self, retries: int) -> Mapping[str, object]:
        return {
            "uuid": self.uuid, "name": self.name, "args": self.args, "kwargs": self.kwargs, "root_id": self.uuid,
            "parent_id": self._parent(retries), "retries": retries, "eta": None, "expires": None,
        }  # fmt: skip

    def _parent(self, retries: int) -> str | None:
        """Celery gives a retry itself as its parent."""
        return self.uuid if retries else None


def description(draw: random.Random, uuid: str) -> Description:
    name = draw.choices(NAMES, cum_weights=_CUMULATIVE)[0]
    number = draw.randrange(1_000_000)
    words = ", ".join(repr(draw.choice(_WORDS)) for _ in range(draw.randrange(6)))
    kwargs = {"locale": "de_DE", "attempt": number % 7, "tags": [draw.choice(_WORDS)]} if number % 3 == 0 else {}
    return Description(uuid, name, f"({number}, [{words}])", repr(kwargs), QUEUES[number % 3])


def success(draw: random.Random) -> Mapping[str, object]:
    number = draw.randrange(1_000_000)
    result = "None" if number % 2 else repr({"id": number, "status": "done", "seen": [draw.choice(_WORDS)] * 3})
    return {"result": result, "runtime": 0.0005 + draw.expovariate(20.0)}


def failure(draw: random.Random) -> Mapping[str, object]:
    """An exception and a traceback of four to twelve frames."""
    exception = f"ValueError('order {draw.randrange(1_000_000)} is {draw.choice(_WORDS)}')"
    frames = "".join(
        f'  File "/srv/app/lib/python3.11/site-packages/{draw.choice(_APPS)}/{draw.choice(_VERBS)}.py", '
        f"line {draw.randrange(10, 900)}, in {draw.choice(_VERBS)}_order\n"
        "    return self.client.request(method, url, payload=payload, timeout=timeout)\n"
        for _ in range(draw.randrange(4, 13))
    )
    return {"exception": exception, "traceback": f"Traceback (most recent call last):\n{frames}{exception}\n"}


ODD: Mapping[str, Mapping[str, object]] = {
    "terminated": {"terminated": True, "signum": "15", "expired": False},
    "expired": {"terminated": False, "signum": None, "expired": True},
    "rejected": {"requeue": False},
    "requeued": {"requeue": True},
    "cancelled": {},
    "progress": {"percent": 40, "step": {"name": "Köln", "left": [1, 2.5, None]}},
}
"""What is told of tasks that do not simply end; `progress` is an event of the application's own."""


def heartbeat(*, active: int, processed: int) -> Mapping[str, object]:
    return {
        "freq": 2.0, "active": active, "processed": processed, "loadavg": [3.15, 2.42, 1.53],
        "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux",
    }  # fmt: skip
