"""Whether this collector's own probes come back (`probe.py`), where each collector hears all of them: on Redis."""

from collections.abc import Callable
from uuid import UUID

from flower_collector.findings import Findings
from flower_collector.probe import Echo
from flower_store import findings

UNANSWERED = 10
"""Probes in a row: ten seconds by default. Batches that wait for a slow database hold a probe up for some."""

SENTENCE = (
    "Events that this collector sends by the workers' way do not come back: check that the broker's user may publish "
    "as well as subscribe, and that reading and writing lead to the same broker and the same database of it "
    "(broker_url, broker_read_url, broker_write_url)."
)


class Returns:
    """Counts; `settled` is whether broker and database answer, without which nothing can come back in time."""

    def __init__(self, found: Findings, *, instance: UUID, settled: Callable[[], bool]) -> None:
        self._found = found
        self._instance = instance
        self._settled = settled
        self._unanswered = 0

    def sending(self) -> None:
        """One is about to be sent; the sending thread says so. Ten that cannot be sent do not come back either."""
        if not self._settled():
            self._unanswered = 0
        elif self._unanswered >= UNANSWERED:
            self._found.tell(findings.PROBE_LOST, SENTENCE)
        self._unanswered += 1

    def heard(self, echo: Echo) -> None:
        """One came back, to the opening thread. That a count is lost between two threads delays a finding by one."""
        if echo.probe.instance == self._instance:
            self._unanswered = 0
            self._found.clear(findings.PROBE_LOST)
