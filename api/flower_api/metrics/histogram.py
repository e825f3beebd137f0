"""Histograms of the store in Prometheus' buckets."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

from prometheus_client.utils import floatToGoString

from flower_store import histograms


class Buckets:
    """Upper bounds in seconds, the last of them infinite.

    One that is a bound of ours is exact. One that lies between two of ours counts what is surely below it.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self._slots = [(_go(bound), histograms.surely_within(bound)) for bound in bounds]

    def lines(self, name: str, head: str, tail: str, counts: Mapping[int, int], seconds: float) -> str:
        """The samples of one histogram; `le` stands between the labels of `head` and `tail`."""
        below = [0] * (histograms.LAST + 2)
        for slot, count in counts.items():
            below[slot + 1] = count
        sums = list(accumulate(below))
        start, end = f'{name}_bucket{{{head},le="', f'",{tail}}} '
        lines = [f"{start}{bound}{end}{sums[within]}\n" for bound, within in self._slots]
        lines.append(f"{name}_count{{{head},{tail}}} {sums[-1]}\n")
        lines.append(f"{name}_sum{{{head},{tail}}} {seconds}\n")
        return "".join(lines)


def _go(bound: float) -> str:
    """As Flower's client library writes it; OpenMetrics asks for the same form."""
    return str(floatToGoString(bound))  # type: ignore[no-untyped-call]
