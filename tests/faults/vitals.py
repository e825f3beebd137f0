"""Memory and descriptors of processes, looked at once in a while by a thread, in the kernel's own books."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Self

EVERY = 0.5
MEGABYTE = 1024**2

MOST_RESIDENT = 150 * MEGABYTE
"""What a collector may take, whatever is done to it."""

MOST_OPEN = 64
"""Descriptors: a connection for each of its threads, one more while it is renewed, its port and its clients."""

SETTLED = 240
"""Looks at one process, two minutes of them, before its growth says anything: until then caches and allocators fill,
and on a busy machine a backlog that came late is read."""

MOST_GROWN = 20 * MEGABYTE
MOST_OPENED = 12


@dataclass(frozen=True, slots=True)
class Look:
    """One process at one moment; `resident` in bytes."""

    resident: int
    descriptors: int


class Vitals:
    """Watches the processes whose ids `pids()` gives, which may change; as a context manager, until the block's end."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._looks: dict[int, list[Look]] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def resident(self) -> int:
        """The most memory that any of them had."""
        return max(look.resident for look in self._all)

    @property
    def descriptors(self) -> int:
        """The most descriptors that any of them had open."""
        return max(look.descriptors for look in self._all)

    @property
    def grown(self) -> int:
        """Bytes by which the last third of the longest life lay above its second; 0 where none was long enough."""
        return self._growth(lambda look: look.resident)

    @property
    def opened(self) -> int:
        """The same of descriptors."""
        return self._growth(lambda look: look.descriptors)

    @property
    def bounded(self) -> bool:
        """Whether memory and descriptors stayed within what a collector may take, and did not go on growing."""
        return (
            self.resident <= MOST_RESIDENT
            and self.descriptors <= MOST_OPEN
            and self.grown <= MOST_GROWN
            and self.opened <= MOST_OPENED
        )

    def __str__(self) -> str:
        return (
            f"{self.resident / MEGABYTE:.0f} MB and {self.descriptors} descriptors at most, "
            f"{self.grown / MEGABYTE:+.1f} MB and {self.opened:+d} from the second third of the longest life on"
        )

    @property
    def _all(self) -> list[Look]:
        return [look for looks in self._looks.values() for look in looks]

    def _growth(self, of: Callable[[Look], int]) -> int:
        longest = max(self._looks.values(), key=len)
        if len(longest) < SETTLED:
            return 0
        third = len(longest) // 3
        return round(median(map(of, longest[-third:])) - median(map(of, longest[third : 2 * third])))

    def _watch(self) -> None:
        while not self._stopping.wait(EVERY):
            for pid in self._pids():
                look = _look(pid)
                if look is not None:
                    self._looks.setdefault(pid, []).append(look)


def _look(pid: int) -> Look | None:
    """Nothing of a process that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        descriptors = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # also of a dead one that nobody has waited for yet
        return None
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return Look(int(sizes[0]) * 1024, descriptors) if sizes else None  # a process that was killed has none
