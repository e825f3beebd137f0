"""The entries of a stream that this collector holds: taken, and not yet acknowledged."""

from collections import deque
from collections.abc import Sequence


class Holding:
    """Gives tags and takes receipts; the origin (`message.Origin`) of its messages.

    It outlives connections, since an entry is acknowledged by its id. One thread takes and acknowledges, another one
    tells what is committed.
    """

    waits = True

    def __init__(self) -> None:
        self._entries: deque[tuple[int, bytes]] = deque()
        self._ids: set[bytes] = set()
        self._tag = 0
        self._committed = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: bytes) -> bool:
        return entry in self._ids

    def take(self, entry: bytes) -> int:
        """The tag of this entry, which is now ours."""
        self._tag += 1
        self._entries.append((self._tag, entry))
        self._ids.add(entry)
        return self._tag

    def done(self, tag: int) -> None:
        """Everything up to this tag is committed."""
        self._committed = max(self._committed, tag)

    def due(self, most: int) -> Sequence[bytes]:
        """At most so many entries that are committed and not yet acknowledged, the oldest first."""
        committed, ids = self._committed, list[bytes]()
        for tag, entry in self._entries:
            if tag > committed or len(ids) == most:
                break
            ids.append(entry)
        return ids

    def acknowledged(self, ids: Sequence[bytes]) -> None:
        """These, which `due` gave, are no longer ours."""
        for entry in ids:
            self._entries.popleft()
            self._ids.discard(entry)
