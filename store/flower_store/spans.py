"""Time between two events of a task. Clocks of machines differ: what would be negative is not known, never zero."""

from datetime import datetime


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from one to the other; None where one is missing or the clocks disagree."""
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()


def run(runtime: float | None, started: datetime | None, ended: datetime | None) -> float | None:
    """What the worker measured, or else the time between its two events."""
    return runtime if runtime is not None else between(started, ended)
