"""The six figures of the overview, each with the hour before, and each a link to the rows behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flower_store import states
from flower_store.reads.series import SAMPLE
from flower_store.records import Count, Figures, Percentiles, WorkerRecord
from flower_web import formats
from flower_web.addresses import Addresses

_ENDS = ("task-succeeded", "task-failed", "task-revoked", "task-rejected")
_RUN = f"Run time of the last hour's tasks that succeeded, of the newest {SAMPLE:,} at most"
_WAIT = (
    f"From sent, or else received, to started, of the last hour's newest {SAMPLE:,} tasks at most; "
    "without those with an ETA or a countdown, and without retries"
)
_UNSENT = "Tasks in the broker are not seen: that takes task_send_sent_event"
_WAITING = (states.PENDING, states.RECEIVED, states.RETRY)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `value` and `unit` as shown, `exact` where the value is shortened, `note` and `hint` below it."""

    label: str
    value: str
    unit: str = ""
    exact: str = ""
    note: str = ""
    address: str = ""
    note_address: str = ""
    hint: str = ""
    """What the figure does not tell."""
    meaning: str = ""
    """What was measured, where the label cannot say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the figures are made of: the last hour and the hour before."""

    now: Figures
    before: Figures
    run: Percentiles
    run_before: Percentiles
    wait: Percentiles
    wait_before: Percentiles
    counts: Mapping[str, Count]
    workers: Sequence[WorkerRecord]


def figures(measured: Measured, addresses: Addresses) -> Sequence[Figure]:
    """The six, in their order."""
    return (
        _throughput(measured, addresses),
        _failures(measured, addresses),
        _percentile("p95 run", measured.run, measured.run_before, meaning=_RUN),
        _percentile("p95 wait", measured.wait, measured.wait_before, meaning=_WAIT),
        _backlog(measured, addresses),
        _workers(measured.workers, addresses),
    )


def _ended(found: Figures) -> int:
    return sum(found.counts.get(kind, 0) for kind in _ENDS)


def _throughput(measured: Measured, addresses: Addresses) -> Figure:
    ended, before = _ended(measured.now), _ended(measured.before)
    return Figure(
        "Finished",
        formats.count(ended),
        exact=formats.exact(ended),
        note=_compared("", formats.count(before)),
        address=addresses.tasks(("state", state) for state in states.ENDED),
    )


def _failures(measured: Measured, addresses: Addresses) -> Figure:
    value, unit = _parts(formats.percent(_failure_share(measured.now)))
    return Figure(
        "Failure share",
        value,
        unit,
        note=_compared(
            f"{formats.count(measured.now.counts.get('task-failed', 0))} failed",
            formats.percent(_failure_share(measured.before)),
        ),
        address=addresses.tasks([("state", states.FAILURE)]),
    )


def _failure_share(found: Figures) -> float | None:
    ended = _ended(found)
    return found.counts.get("task-failed", 0) / ended if ended else None


def _percentile(label: str, now: Percentiles, before: Percentiles, *, meaning: str) -> Figure:
    value, unit = _parts(formats.duration(now.p95))
    median = f"median {formats.duration(now.p50)}" if now.measured else ""
    part = f"newest {SAMPLE:,}" if now.measured == SAMPLE else ""
    return Figure(label, value, unit, note=_compared(median, formats.duration(before.p95)), hint=part, meaning=meaning)


def _backlog(measured: Measured, addresses: Addresses) -> Figure:
    waiting = [measured.counts[state] for state in _WAITING if state in measured.counts]
    total = sum(count.value for count in waiting)
    sign = "" if all(count.exact for count in waiting) else "≥ "
    running = measured.counts.get(states.STARTED, Count(0, exact=True))
    return Figure(
        "Waiting now",
        f"{sign}{formats.count(total)}",
        exact=formats.exact(total),
        note=f"{formats.count(running.value)} running",
        note_address=addresses.tasks([("state", states.STARTED)]),
        hint="" if measured.now.counts.get("task-sent") else _UNSENT,
        address=addresses.tasks(("state", state) for state in _WAITING),
    )


def _workers(workers: Sequence[WorkerRecord], addresses: Addresses) -> Figure:
    up = sum(worker.online for worker in workers)
    note = f"of {len(workers)} known" if workers else "none seen yet"
    return Figure("Workers up", formats.count(up), note=note, address=addresses.workers)


def _compared(note: str, before: str) -> str:
    """The note, with the value of the hour before where there was one."""
    compared = "" if before == formats.NOT_CAPTURED else f"{before} the hour before"
    return ", ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in (note, compared) if part)


def _parts(text: str) -> tuple[str, str]:
    """A value and its unit; of two units ("1 m 12 s") all of it is the value."""
    value, _, unit = text.rpartition(" ")
    return (value, unit) if value and not any(map(str.isalpha, value)) else (text, "")
