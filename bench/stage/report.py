"""A benchmark's result: a table for people, and JSON in `bench/results/` that names neither host nor path."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench.stage.options import Options

RESULTS = Path(__file__).parents[1] / "results"


@dataclass(slots=True)
class Series:
    """What one contestant did in each run; `of` names the contestants to whom it is set in relation."""

    name: str
    unit: str
    values: list[float] = field(default_factory=list)
    of: Sequence[str] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """From the least to the most, as a share of the median."""
        return (max(self.values) - min(self.values)) / self.median if self.median else 0.0


class Report:
    """Collects series and notes, prints each value as it comes, and at the end the table."""

    def __init__(self, name: str, options: Options) -> None:
        self._name = name
        self._options = options
        self._series: dict[str, Series] = {}
        self._notes: list[str] = []

    def add(self, name: str, value: float, *, unit: str = "events/s", of: Sequence[str] = ()) -> None:
        """One value of a contestant."""
        series = self._series.setdefault(name, Series(name, unit, of=of))
        series.values.append(value)
        print(f"  {name}: {_shown(value)} {unit}", flush=True)

    def relate(self, name: str, others: Sequence[str]) -> None:
        """Set a series in relation to others, too."""
        self._series[name].of = (*self._series[name].of, *others)

    def note(self, text: str) -> None:
        """Something that readers must know to read the numbers."""
        self._notes.append(text)
        print(f"  ({text})", flush=True)

    def median(self, name: str) -> float:
        return self._series[name].median

    def ratios(self) -> dict[str, float]:
        """Medians set in relation, by "one / other"."""
        return {
            f"{one.name} / {other}": one.median / self._series[other].median
            for one in self._series.values()
            for other in one.of
            if other in self._series and self._series[other].median
        }

    def finish(self) -> None:
        """Print the table and write the file."""
        print(f"\n{self._name}, {self._options.size}", *self._table(), *(f"- {note}" for note in self._notes), sep="\n")
        RESULTS.mkdir(exist_ok=True)
        now = datetime.now(UTC)
        told = {
            "benchmark": self._name,
            "at": now.isoformat(timespec="seconds"),
            "size": self._options.size,
            "machine": {
                "cores": os.cpu_count(),
                "python": platform.python_version(),
                "load": round(os.getloadavg()[2], 1),
            },
            "series": {
                one.name: {"unit": one.unit, "median": one.median, "spread": one.spread, "values": one.values}
                for one in self._series.values()
            },
            "ratios": self.ratios(),
            "notes": self._notes,
        }
        (RESULTS / f"{self._name}-{now:%Y%m%d-%H%M%S}.json").write_text(json.dumps(told, indent=2) + "\n")

    def _table(self) -> list[str]:
        width = max(map(len, [*self._series, *self.ratios()]))
        head = f"  {'':{width}}  {'median':>12}  spread  runs"
        values = [
            f"  {one.name:{width}}  {_shown(one.median):>12}  {one.spread:>6.0%}  {len(one.values):>4}  {one.unit}"
            for one in self._series.values()
        ]
        return [head, *values, *(f"  {name:{width}}  {ratio:>12.2f}" for name, ratio in self.ratios().items())]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.4g}"
