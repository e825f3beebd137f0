"""Numbers and times as people read them.

Two units of time at most, three digits of a large number; what was not captured is a dash and never a zero.
Durations read as in `frontend/durations.ts`.
"""

import math
from datetime import UTC, datetime

NOT_CAPTURED = "—"
_STEPS = ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m"), (60, "m", 1, "s"))
_LARGE = ((1_000_000_000, "G"), (1_000_000, "M"), (100_000, "k"))
_EXACT_BELOW = 100_000


def count(number: float | None) -> str:
    """12,345 and 123.4k and 1.2M; the exact value belongs into the title (`exact`)."""
    if number is None:
        return NOT_CAPTURED
    for size, letter in _LARGE:
        if abs(number) >= size:
            unit = 1000 if letter == "k" else size
            return f"{_floor(number / unit):.1f}{letter}"
    return f"{round(number):,}"


def exact(number: float | None) -> str:
    """The number in full, where `count` shortened it; otherwise nothing."""
    return f"{round(number):,}" if number is not None and abs(number) >= _EXACT_BELOW else ""


def duration(seconds: float | None) -> str:
    """340 ms, 4.2 s, 12 s, 1 m 12 s, 3 h 5 m, 2 d."""
    if seconds is None:
        return NOT_CAPTURED
    if seconds < 0:
        return f"\N{MINUS SIGN}{duration(-seconds)}"
    return _short(seconds) if seconds < 60 else _long(int(seconds))  # noqa: PLR2004 - a minute


def _short(seconds: float) -> str:
    if seconds < 0.0005:  # noqa: PLR2004 - rounds to nothing in milliseconds
        return "0 ms" if seconds == 0 else "< 1 ms"
    if seconds < 0.9995:  # noqa: PLR2004 - rounds to a second
        return f"{round(seconds * 1000)} ms"
    return f"{_floor(max(seconds, 1.0)):.1f} s" if seconds < 10 else f"{int(seconds)} s"  # noqa: PLR2004 - two digits


def _long(seconds: int) -> str:
    for size, unit, smaller, small_unit in _STEPS:
        if seconds >= size:
            rest = seconds % size // smaller
            return f"{seconds // size} {unit} {rest} {small_unit}" if rest else f"{seconds // size} {unit}"
    return f"{seconds} s"


def percent(share: float | None) -> str:
    """12.3 %."""
    return NOT_CAPTURED if share is None else f"{share * 100:.1f} %"


def iso(at: datetime) -> str:
    """The value of a `datetime` attribute: UTC, milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def full(at: datetime) -> str:
    """A time in full, for a title."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def moment(at: datetime, now: datetime) -> str:
    """A time in a table: of today 10:00:04, of another day 22 Nov 10:00."""
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    if at.date() == now.date():
        return f"{at:%H:%M:%S}"
    return f"{at.day} {at:%b %H:%M}" if at.year == now.year else f"{at:%Y-%m-%d}"


def clock(at: datetime) -> str:
    """A time of day to the millisecond."""
    return f"{at.astimezone(UTC):%H:%M:%S.%f}"[:-3]


def since(at: datetime, now: datetime) -> str:
    """How long ago, in whole seconds: `frontend/times.ts` goes on counting."""
    seconds = max(0, int((now - at).total_seconds()))
    return _long(seconds)


def middle(text: str) -> str:
    """An id cut in the middle; the full text belongs into the title."""
    return text if len(text) <= 16 else f"{text[:8]}…{text[-4:]}"  # noqa: PLR2004 - 8 + 4 and room for short ids


def _floor(number: float) -> float:
    """Cut, not round: 999,999 is 999.9k and never 1000.0k."""
    return math.trunc(number * 10) / 10
