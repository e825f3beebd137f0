"""A client that asks one address after the other over a kept connection, and measures how long answers take."""

import math
import os
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

_TOTAL = re.compile(r"total;dur=([\d.]+)")
FEWEST = 5
"""Requests of each address, however long they take."""


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds: by the server's own word (`Server-Timing`; None where it has none), and as the client waited."""

    server: Sequence[float] | None
    client: Sequence[float]
    statuses: frozenset[int]


class Client:
    """One connection that is kept. Answers are read whole."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=120)

    def get(self, path: str) -> tuple[int, str | None, bytes]:
        """Status, `Server-Timing`, body."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        return answer.status, answer.getheader("Server-Timing"), answer.read()

    def document(self, path: str) -> Any:
        """The decoded body of an answer, which must be 200."""
        status, _, body = self.get(path)
        if status != 200:
            raise RuntimeError(f"{path} is answered with {status}: {body[:500]!r}")
        return msgspec.json.decode(body)

    def times(self, paths: Sequence[str], *, requests: int, seconds: float) -> Times:
        """Ask these in turn, so many times or until the time is over; the first round of them is not counted."""
        for path in paths[:3]:
            self.get(path)
        server: list[float] = []
        client: list[float] = []
        statuses: set[int] = set()
        until = time.monotonic() + seconds
        for path in cycle(paths):
            began = time.perf_counter()
            status, told, _ = self.get(path)
            client.append((time.perf_counter() - began) * 1_000)
            statuses.add(status)
            found = _TOTAL.search(told or "")
            if found is not None:
                server.append(float(found[1]))
            if len(client) >= requests or (len(client) >= FEWEST and time.monotonic() > until):
                return Times(server or None, client, frozenset(statuses))
        raise AssertionError("there is no path")

    def close(self) -> None:
        self._connection.close()


def milliseconds(timing: str | None) -> float:
    """What `Server-Timing` tells."""
    found = _TOTAL.search(timing or "")
    if found is None:
        raise RuntimeError(f"no time in {timing!r}")
    return float(found[1])


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not less than this share of them."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second of the clock, and of the server's own CPU time."""

    wall: float
    cpu: float


def rate(port: int, pid: int, path: str, *, connections: int, seconds: float) -> Rate:
    """Ask the same from several connections for a while, each as soon as it has its answer."""
    counts = [0] * connections
    until = time.monotonic() + seconds

    def ask(number: int) -> None:
        client = Client(port)
        while time.monotonic() < until:
            client.document(path)
            counts[number] += 1
        client.close()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(connections)]
    used, began = cpu(pid), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.monotonic() - began
    return Rate(sum(counts) / passed, sum(counts) / (cpu(pid) - used))


def cpu(pid: int) -> float:
    """Seconds of CPU that the process has used (proc(5), `stat`)."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
