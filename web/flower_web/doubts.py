"""What may be missing from the pages, in plain sentences: gaps, and what the audit misses beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from flower_store.records import GapRecord, MissedRecord

_TOLD = 3
"""Sentences that stand on the overview; the rest are on a page of their own."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Of one interval, the newest first."""

    gaps: Sequence[GapRecord]
    missed: Sequence[MissedRecord]
    """What no gap explains."""

    @property
    def told(self) -> Sequence[GapRecord]:
        """The gaps that the overview tells of."""
        return self.gaps[:_TOLD]

    @property
    def told_missed(self) -> Sequence[MissedRecord]:
        """What the overview tells of the rest."""
        return self.missed[: _TOLD - len(self.told)]

    @property
    def more(self) -> int:
        """How many findings the overview leaves to the page of its own."""
        return len(self.gaps) + len(self.missed) - len(self.told) - len(self.told_missed)

    def __bool__(self) -> bool:
        return bool(self.gaps or self.missed)


def doubts(gaps: Sequence[GapRecord], missed: Sequence[MissedRecord]) -> Doubts:
    """Each finding once: what a gap explains stands with that gap."""
    return Doubts(gaps, [each for each in missed if each.gap_id is None])
