"""Fixed bounds for histograms of seconds, shared by every row: sums over any rows are then histograms again."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Final

RUNTIME: Final = 1
"""`measure` of a task's run time, as the worker told it with its success."""

WAIT: Final = 2
"""`measure` of the time from a task's first sent event (or else received) to its first started one."""

_STEPS: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 7.5)

BOUNDS: Final = tuple(round(step * 10.0**power, 6) for power in range(-3, 5) for step in _STEPS)
"""Upper bounds in seconds, from a millisecond to 75,000 s, seven to a factor of ten: a percentile that is read between
two of them is at most a quarter off. They are Prometheus's `le`, and all of its usual bounds are among them. Rows hold
their numbers: never change them."""

LAST: Final = len(BOUNDS)
"""The slot of what is longer than every bound."""


def slot(seconds: float) -> int:
    """The number of the first bound that is not less."""
    return bisect_left(BOUNDS, seconds)


def surely_within(seconds: float) -> int:
    """How many slots hold nothing that is longer than this: the first ones, all of them for infinity."""
    return LAST + 1 if math.isinf(seconds) else bisect_right(BOUNDS, seconds)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The value below which this share of a histogram lies, in seconds; None where it is empty.

    Between two bounds it is read on a straight line of their logarithms, as the bounds themselves stand.
    """
    wanted = share * sum(counts.values())
    if wanted <= 0:
        return None
    below = 0
    for number in sorted(counts):
        if counts[number] > 0 and below + counts[number] >= wanted:
            return _within(number, (wanted - below) / counts[number])
        below += counts[number]
    return BOUNDS[-1]


def _within(number: int, part: float) -> float:
    if number >= LAST:
        return BOUNDS[-1]
    if number == 0:
        return BOUNDS[0] * part
    low, high = BOUNDS[number - 1], BOUNDS[number]
    return round(low * math.pow(high / low, part), 6)
