"""The leader's look at workers that answer to control while no event of theirs arrives."""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from flower_collector.findings import Findings
from flower_store import findings, silence, writes

SILENT = timedelta(seconds=6)
"""Three of Celery's heartbeats, for which an answering worker was not heard, again and again."""

NAMED = 3
"""Workers that the sentence names; the others are counted."""


class Silences:
    """A chore. Looks at the store, since events of one worker may come to any of several collectors."""

    name = "silent workers"
    every = timedelta(seconds=2)

    def __init__(
        self,
        found: Findings,
        *,
        answered: timedelta,
        settled: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Who answered within `answered` counts; `settled` is whether broker and database answer."""
        self._found = found
        self._answered = answered
        self._settled = settled
        self._clock = clock
        self._since: dict[str, float] = {}

    def work(self, store: writes.Writer, stopping: threading.Event) -> None:  # noqa: ARG002 - a chore's form
        """Tell, or stop telling."""
        if not self._settled():
            self._since = {}
            return
        now = self._clock()
        hosts = silence.answering(store, answered=self._answered, silent=SILENT)
        self._since = {host: self._since.get(host, now) for host in hosts}
        silent = [host for host, since in self._since.items() if now - since >= SILENT.total_seconds()]
        if silent:
            self._found.tell(findings.WORKERS_SILENT, _sentence(silent))
        else:
            self._found.clear(findings.WORKERS_SILENT)


def _sentence(hosts: Sequence[str]) -> str:
    named = ", ".join(hosts[:NAMED]) + (f" and {len(hosts) - NAMED} more" if len(hosts) > NAMED else "")
    return (
        f"Answers to control but is not heard of by events: {named}. Check that it sends heartbeats "
        "(no --without-heartbeat) and task events (-E), to the same event_exchange, and on Redis with the same "
        "fanout_prefix, fanout_patterns, global_keyprefix and database."
    )
