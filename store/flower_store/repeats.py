"""A received event nearly always says of its task what the sent one said: the log then keeps it once.

In the place of its fields the row of such a received event holds the microseconds from the sent event to it, and
nothing else: no fields are ever packed so (`packing.py`). It means the sent event of the task at that time whose
values stand in a list. There is never a second such one: whoever logs an event holds its task's row, and so knows all
that were logged before (`merge.LOGGED`); a later one at the same time is an object. Both are of one day: they lie in
one partition, and go together (`retention.py`).
"""

from collections.abc import Mapping
from operator import itemgetter

from flower_store import event_types, moments, packing
from flower_store.events import TaskEvent

_values = itemgetter(*packing.order(event_types.RECEIVED))
"""What both say, but for the name, which each row has in a column."""

_PLAIN = frozenset({str, int, bool, type(None)})
"""Types whose values are the same where they are equal, unlike 0.0 and -0.0, or [1] and [True]."""


class Sent:
    """The sent events of one task that the log has, or gets."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at: dict[int, tuple[int, Mapping[str, object] | str] | None] = {}

    def known(self, at: int, name_id: int, text: str) -> None:
        """The log has one, of the name in its row and with these packed fields."""
        if packing.is_list(text):
            self._at[at] = name_id, text
        else:
            self._at.setdefault(at, None)

    def added(self, event: TaskEvent, name_id: int, packed: bytes) -> bytes:
        """The log gets this one; returns its packed fields as they must be, then."""
        if event.micros in self._at:
            return packing.encoded(event.fields) if packing.is_list(packed) else packed
        self._at[event.micros] = (name_id, event.fields) if packing.is_list(packed) else None
        return packed

    def repeated(self, event: TaskEvent, name_id: int) -> bytes | None:
        """What stands for the fields of this received event; None where no sent one of its day said the same."""
        if not self._at or not packing.fits(event_types.RECEIVED, event.fields):
            return None
        values = _values(event.fields)
        types = [*map(type, values)]
        if not _PLAIN.issuperset(types):
            return None
        at = event.micros
        for sent_at, sent in self._at.items():
            if sent is not None and sent[0] == name_id and sent_at // moments.DAY == at // moments.DAY:
                told = _values(_fields(sent[1], event.task_id))
                if told == values and [*map(type, told)] == types:
                    return b"%d" % (at - sent_at)
        return None


def _fields(sent: Mapping[str, object] | str, task_id: str) -> Mapping[str, object]:
    return packing.unpacked(event_types.SENT, task_id, None, sent) if isinstance(sent, str) else sent
