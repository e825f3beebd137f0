"""Senders: one or more processes that hold a stream ready and send it together."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.load.traffic import Traffic

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent; times are seconds since the epoch."""

    began: float
    ended: float
    messages: int
    events: int
    task_events: int

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / (self.ended - self.began)


class Sender:
    """`Sender(url, traffic).send()` sends all and tells what it was; `begin` and `finish` are its two halves.

    As a context manager it ends its processes when the measurement fails.
    """

    def __init__(self, url: str, traffic: Traffic, *, rate: float = 0.0, processes: int = 1) -> None:
        """Encode; ready on return. Each process sends an equal part under names and seeds of its own."""
        self._running = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "bench.load.publish",
                    url,
                    _told(traffic, part, processes),
                    str(rate / processes),
                ],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for part in range(processes)
        ]
        for process in self._running:
            assert _line(process) == "ready"

    def begin(self) -> None:
        for process in self._running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()

    def finish(self) -> Sent:
        """Wait until the broker has taken all."""
        told = [json.loads(_line(process)) for process in self._running]
        for process in self._running:
            process.communicate()
        return Sent(
            min(part["began"] for part in told),
            max(part["ended"] for part in told),
            *(sum(part[name] for part in told) for name in ("messages", "events", "task_events")),
        )

    def send(self) -> Sent:
        with self:
            self.begin()
            return self.finish()

    @property
    def sending(self) -> bool:
        return any(process.poll() is None for process in self._running)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.communicate()


def _told(traffic: Traffic, part: int, parts: int) -> str:
    own = replace(
        traffic,
        tasks=traffic.tasks * (part + 1) // parts - traffic.tasks * part // parts,
        seed=traffic.seed * 1_000 + part,
        prefix=f"{traffic.prefix}{part}" if parts > 1 else traffic.prefix,
    )
    return json.dumps(asdict(own))


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    answer = process.stdout.readline().strip()
    assert answer, "the sender failed: see above"
    return answer
