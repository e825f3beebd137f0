"""What a collector finds wrong with the way that events take, and with where they go: the kinds, a bounded set (they
label a metric).

A finding holds while it is among those that the collector's last beat told; its sentence says what to look at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

PROBE_LOST = "probe_lost"
EVENTS_ELSEWHERE = "events_elsewhere"
WORKERS_SILENT = "workers_silent"
NAMES_FULL = "names_full"

KINDS = (PROBE_LOST, EVENTS_ELSEWHERE, WORKERS_SILENT, NAMES_FULL)


@dataclass(frozen=True, slots=True)
class FindingRecord:
    """Something wrong with the way of events, as a collector finds it; `kind` is one of `KINDS`."""

    kind: str
    sentence: str
    since: datetime


def documents(findings: Sequence[FindingRecord]) -> list[dict[str, str]]:
    """Their form in the collector's row."""
    return [{"kind": one.kind, "sentence": one.sentence, "since": one.since.isoformat()} for one in findings]


def records(documents: Sequence[dict[str, str]]) -> tuple[FindingRecord, ...]:
    """The inverse of `documents`."""
    return tuple(FindingRecord(one["kind"], one["sentence"], datetime.fromisoformat(one["since"])) for one in documents)
