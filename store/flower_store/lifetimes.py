"""How long what is stored is kept: the settings of `retention.py`."""

from dataclasses import dataclass
from datetime import timedelta

from flower_store.settings import SettingError, setting

_DAY = timedelta(days=1)
_DURATIONS = (
    "retention_events", "retention_tasks", "retention_failed", "retention_samples", "retention_minutes",
    "retention_hours", "retention_history", "retention_aside", "retention_audit",
)  # fmt: skip


_NAMELESS = ("retention_aside", "retention_audit")
"""What refers to no name of a queue or worker by its id."""

LEAST_AUDIT = 30 * _DAY
"""The log's own trigger lets nothing go that is younger (migration 0003)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSettings:
    """How long what is stored is kept. The whole database's: give all its collectors the same. Nothing is for ever."""

    # The log is the largest by far and answers questions about single tasks, which are asked within days.
    retention_events: timedelta = setting(
        7 * _DAY, help="How long raw task events are kept, by whole days; 0 is for ever."
    )
    retention_tasks: timedelta = setting(
        30 * _DAY, help="How long tasks are kept after their last event, unless they failed; 0 is for ever."
    )
    retention_failed: timedelta = setting(
        90 * _DAY, help="How long failed tasks are kept after their last event; 0 is for ever."
    )
    retention_samples: timedelta = setting(
        30 * _DAY, help="How long samples of queues are kept, by whole days; 0 is for ever."
    )
    retention_minutes: timedelta = setting(14 * _DAY, help="How long counts by the minute are kept; 0 is for ever.")
    retention_hours: timedelta = setting(400 * _DAY, help="How long counts by the hour are kept; 0 is for ever.")
    retention_history: timedelta = setting(
        90 * _DAY, help="How long comings and goings of workers and collectors, and gaps, are kept; 0 is for ever."
    )
    retention_aside: timedelta = setting(
        7 * _DAY, help="How long messages are kept that could not be taken as they were; 0 is for ever."
    )
    retention_audit: timedelta = setting(
        400 * _DAY, help="How long the log of commands, logins and refusals is kept, 30d at least; 0 is for ever."
    )
    retention_max_bytes: int = setting(
        0,
        help="Bytes that Flower's tables may take: past it the oldest days of events go, then the oldest tasks that "
        "have no event left; today's events and their tasks stay. 0 is no bound.",
    )

    @property
    def longest(self) -> timedelta | None:
        """For how long anything is kept that refers to names of queues and workers; None for ever."""
        kept = [getattr(self, name) for name in _DURATIONS if name not in _NAMELESS]
        return max(kept) if all(kept) else None

    def __post_init__(self) -> None:
        """Check each value; raises SettingError."""
        for name in _DURATIONS:
            if not timedelta(0) <= getattr(self, name) <= 36_500 * _DAY:
                raise SettingError(name, getattr(self, name), "must be from 0 to 36500d")
        if not 0 <= self.retention_max_bytes <= 2**62:
            raise SettingError("retention_max_bytes", self.retention_max_bytes, f"must be from 0 to {2**62}")
        if timedelta(0) < self.retention_audit < LEAST_AUDIT:
            raise SettingError("retention_audit", self.retention_audit, "must be 30d at least, or 0 for ever")
        # Whether an event is new is asked of the log by its task: without the task, a repetition would count again.
        for name in ("retention_tasks", "retention_failed"):
            kept = getattr(self, name)
            if kept and (not self.retention_events or kept < self.retention_events):
                raise SettingError(name, kept, "must not be shorter than retention_events")
