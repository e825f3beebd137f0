"""Whether events still come in: a page that stands still because nothing arrives must not look like a quiet cluster."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flower_store.records import CollectorRecord


@dataclass(frozen=True, slots=True)
class Intake:
    """What is wrong with it, in words, and since when; `since` is None for a collector that was never there."""

    trouble: str = ""
    since: datetime | None = None
    broker_away: bool = False


FINE = Intake()
"""At least one collector lives and its broker answers it."""


def intake(collectors: Sequence[CollectorRecord]) -> Intake:
    """The state of a cluster's intake. One collector that reaches its broker is enough."""
    alive = [collector for collector in collectors if collector.alive]
    if not alive:
        last = max((collector.beat_at for collector in collectors), default=None)
        return Intake("No collector since" if last else "No collector yet", last)
    away = [collector.broker_away_at for collector in alive if collector.broker_away_at is not None]
    return FINE if len(away) < len(alive) else Intake("Broker away since", max(away), broker_away=True)
