"""The fields of an event as a short text, and back: the log's largest column, four times a task.

Where an event of Celery's has exactly the fields that its type has, their values alone are kept, in a fixed order
and without a tail of usual values; the name stands in a column of its own. Anything else is a JSON object with all
of its fields. No fields are the empty text. A number stands in the place of fields that the task's sent event has told
(`repeats.py`).
"""

from collections.abc import Mapping, Sequence

import msgspec

from flower_store import event_types

NAMED = frozenset({event_types.SENT, event_types.RECEIVED})
"""The types that tell the task's name."""

_SAME = True
"""In the place of a root that is the task itself, and of a routing key that is its queue."""


class _Layout:
    """The order of a type's fields, their usual values, and which may repeat another one."""

    __slots__ = ("alike", "fields", "from_the_end", "names", "number", "usual")

    def __init__(self, code: int, usual: Mapping[str, object]) -> None:
        self.names = tuple(usual)
        self.usual = tuple(usual.values())
        self.fields = frozenset(usual) | ({"name"} if code in NAMED else frozenset[str]())
        self.number = len(self.fields)
        self.from_the_end = tuple((value, type(value)) for value in reversed(self.usual))
        self.alike = tuple((self.names.index(one), other) for one, other in _ALIKE.items() if one in usual)

    def fits(self, fields: Mapping[str, object]) -> bool:
        """Whether these are exactly the fields."""
        return len(fields) == self.number and self.fields.issuperset(fields)


_ALIKE = {"root_id": "", "routing_key": "queue"}
"""Fields that often repeat another one, or (empty) the task's own id."""

_USUAL: Mapping[int, Mapping[str, object]] = {
    event_types.SENT: {
        "queue": None, "args": "()", "kwargs": "{}", "routing_key": _SAME, "root_id": _SAME, "retries": 0,
        "exchange": "", "parent_id": None, "eta": None, "expires": None,
    },
    event_types.RECEIVED: {
        "args": "()", "kwargs": "{}", "root_id": _SAME, "retries": 0, "parent_id": None, "eta": None, "expires": None,
    },
    event_types.SUCCEEDED: {"runtime": None, "result": "None"},
    event_types.FAILED: {"exception": None, "traceback": None},
    event_types.RETRIED: {"exception": None, "traceback": None},
    event_types.REVOKED: {"terminated": None, "signum": None, "expired": None},
}  # fmt: skip

_LAYOUTS = {code: _Layout(code, usual) for code, usual in _USUAL.items()}

_encode = msgspec.json.Encoder().encode


def packed(code: int, task_id: str, fields: Mapping[str, object], *, named: bool) -> bytes:
    """The fields as UTF-8 text. `named` says that the name is known from the row's own column."""
    if not fields:
        return b""
    layout = _LAYOUTS.get(code)
    if layout is None or not layout.fits(fields) or (code in NAMED and not named):
        return encoded(fields)
    values = [fields[name] for name in layout.names]
    if layout.alike and not _shorten(layout, values, task_id, fields):
        return encoded(fields)
    used = len(values)
    for value, usual in layout.from_the_end:
        found = values[used - 1]
        if found is not value and (found != value or type(found) is not usual):
            break
        used -= 1
    del values[used:]
    return _encode(values)


def encoded(fields: Mapping[str, object]) -> bytes:
    """All fields as a JSON object."""
    return _encode(fields)


def unpacked(
    code: int, task_id: str, name: str | None, text: str | bytes, *, sent: str | None = None
) -> dict[str, object]:
    """The fields again; `name` is what the row's own column tells, `sent` the text of the sent event that is meant."""
    value: dict[str, object] | list[object] | int = msgspec.json.decode(text) if text else {}
    if isinstance(value, dict):
        return value
    layout = _LAYOUTS[code]
    if isinstance(value, int):
        if sent is None:  # of a clock off by days, deleted between the two batches: all that is left
            return {"name": name}
        told = unpacked(event_types.SENT, task_id, name, sent)
        return {field: told[field] for field in ("name", *layout.names)}
    whole = [*value, *layout.usual[len(value) :]]
    fields = dict(zip(layout.names, whole, strict=True))
    if code in NAMED:
        fields["name"] = name
        for field, other in _ALIKE.items():
            if fields.get(field) is _SAME:
                fields[field] = fields[other] if other else task_id
    return fields


def fits(code: int, fields: Mapping[str, object]) -> bool:
    """Whether these are exactly the fields of Celery's own event."""
    return _LAYOUTS[code].fits(fields)


def order(code: int) -> Sequence[str]:
    """The fields of Celery's own event but for its name, in the order of their values."""
    return _LAYOUTS[code].names


def is_list(text: str | bytes) -> bool:
    """Whether the values alone are kept."""
    return text[:1] in ("[", b"[")


def has_eta(code: int, text: str | bytes) -> bool:
    """Whether these fields of a sent or received event tell a time before which the task must not begin.

    Of a received one that repeats the sent one, which says it, they do not.
    """
    if is_list(text):
        values = _split(text)
        place = _ETA[code]
        return place < len(values) and values[place] != _NULL
    return text[:1] in ("{", b"{") and unpacked(code, "", None, text).get("eta") is not None


def _shorten(layout: _Layout, values: list[object], task_id: str, fields: Mapping[str, object]) -> bool:
    """Put marks for what is said twice; False where a value looks like a mark."""
    for place, other in layout.alike:
        value = values[place]
        if value is _SAME:
            return False
        if value == (fields[other] if other else task_id) and isinstance(value, str):
            values[place] = _SAME
    return True


_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_NULL = msgspec.Raw(b"null")
_ETA = {code: _LAYOUTS[code].names.index("eta") for code in NAMED}
