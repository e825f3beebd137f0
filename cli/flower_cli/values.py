"""A setting's value as text, and back: what flags and variables hold, and what is shown as a default.

Errors are `ValueError(rule)`: the rule alone, because the caller knows the setting's name and may show its value.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

# Flower's words for a bool (its manual), which had two rules, one of which took `no` for true.
TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
FALSE = frozenset({"n", "no", "f", "false", "off", "0"})

UNITS: Mapping[str, timedelta] = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?")
DURATION_RULE = "must be a duration such as 250ms, 5s, 10m, 2h or 1d; a plain number is seconds"


def parse(kind: type, text: str) -> object:
    """The value that `text` stands for; raises ValueError with the rule."""
    return _PARSERS[kind](text.strip())


def _bool(text: str) -> bool:
    if text.lower() in TRUE | FALSE:
        return text.lower() in TRUE
    raise ValueError("must be true or false (also yes or no, on or off, 1 or 0)")


def _int(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("must be a number") from None


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(DURATION_RULE)
    try:
        return float(match[1]) * UNITS[match[2] or "s"]
    except OverflowError:
        raise ValueError("must be shorter than a million years") from None


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word for part in text.split(",") if (word := part.strip()))
    if text.strip() and not words:
        raise ValueError("must have something between its commas")
    return words


_PARSERS: Mapping[type, Callable[[str], object]] = {
    bool: _bool,
    int: _int,
    float: _float,
    str: str,
    timedelta: _duration,
    tuple: _words,
}


def from_toml(kind: type, value: object) -> object:
    """The value that a TOML value stands for; raises ValueError with the rule."""
    if isinstance(value, str):
        return parse(kind, value)
    if kind is tuple and isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    if isinstance(value, bool) and kind is bool:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and kind in {int, float, timedelta}:
        return parse(kind, str(value))
    raise ValueError(_TOML_RULES[kind])


_TOML_RULES: Mapping[type, str] = {
    bool: "must be true or false",
    int: "must be a whole number",
    float: "must be a number",
    str: "must be a string",
    timedelta: DURATION_RULE,
    tuple: "must be a list of strings",
}


def text(value: object) -> str:
    """The text that `parse` reads as this value; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return _duration_text(value)
    if isinstance(value, tuple):
        return ",".join(str(word) for word in value)
    return str(value)


def _duration_text(value: timedelta) -> str:
    """In the largest unit that needs no fraction."""
    for unit, length in UNITS.items():
        if value and not value % length:
            return f"{value // length}{unit}"
    return f"{value.total_seconds():f}s" if value else "0"
