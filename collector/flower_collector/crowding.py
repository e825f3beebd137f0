"""Names past their bound: they share a row, and the leader says so while it lasts."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Final

from flower_collector.findings import Findings
from flower_collector.settings import CollectorSettings
from flower_store import findings, writes

OVER: Final = timedelta(hours=1)
"""After which time without a name past its bound there is room again. A worker tells of itself every few seconds, a
rare task once in a while."""

_OPTIONS: Final = {
    "name": ("task names", "max_task_names", ""),
    "queue": ("queues", "max_queues", ""),
    "worker": ("workers", "max_workers", ", and whether all of their tasks were seen is not audited"),
    "type": ("types of events", "max_event_types", ""),
    "group": ("error groups", "max_error_groups", ""),
}
"""By kind, as the store calls it (`writes.Written.overflowed`): what it is, its option, and what else that means."""


class Crowding:
    """A chore, and what the writing threads tell it."""

    name = "names past their bound"
    every = timedelta(seconds=5)

    def __init__(
        self, found: Findings, settings: CollectorSettings, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._found = found
        self._bounds: Mapping[str, int] = {kind: getattr(settings, option) for kind, (_, option, _) in _OPTIONS.items()}
        self._clock = clock
        self._seen: dict[str, float] = {}

    def note(self, kinds: Iterable[str]) -> None:
        """Names of these kinds had to share just now. Of any thread."""
        for kind in kinds:
            self._seen[kind] = self._clock()

    def work(self, store: writes.Writer, stopping: threading.Event) -> None:  # noqa: ARG002 - a chore's form
        """Tell, or stop telling."""
        since = self._clock() - OVER.total_seconds()
        full = [kind for kind in _OPTIONS if self._seen.get(kind, since) > since]
        if full:
            self._found.tell(findings.NAMES_FULL, " ".join(map(self._sentence, full)))
        else:
            self._found.clear(findings.NAMES_FULL)

    def _sentence(self, kind: str) -> str:
        what, option, also = _OPTIONS[kind]
        flag = "--" + option.replace("_", "-")
        return f"There are more {what} than {self._bounds[kind]:,}: new ones share one row{also}. Raise {flag}."
