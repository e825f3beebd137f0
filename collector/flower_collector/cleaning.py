"""Values that PostgreSQL cannot hold, replaced: NUL and lone surrogates in text, numbers that are none, endless text.

It runs only where the gate has reason to look, so that an ordinary event pays nothing.
"""

import math
import re

from flower_collector.reasons import Refused
from flower_store.reasons import Reason

MAX_DEPTH = 64
"""Levels of lists and objects in one event. Celery's own have one; a hostile 100,000 would end the stack."""

MAX_TEXT = 1_000_000
"""Characters of one text. Celery bounds args and results at 1,024 but neither exceptions nor tracebacks."""

NUL_SHOWN = "␀"
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_SURROGATE = re.compile("[\ud800-\udfff]")


def has_surrogate(text: str) -> bool:
    """Whether the text holds half of a surrogate pair, which no UTF-8 can carry."""
    return _SURROGATE.search(text) is not None


def cut(text: str) -> str:
    """The text's two ends: a traceback says most in its first and last lines."""
    half = MAX_TEXT // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


class Cleaner:
    """Cleans one event's values and remembers what it had to change."""

    def __init__(self) -> None:
        self.changed: set[Reason] = set()

    def fields(self, fields: dict[str, object], depth: int = 0) -> dict[str, object]:
        """A clean copy of an object; raises Refused when it is nested too deeply."""
        if depth > MAX_DEPTH:
            raise Refused(Reason.TOO_DEEP, f"nested more than {MAX_DEPTH} levels deep")
        return {self._text(name): self._value(value, depth + 1) for name, value in fields.items()}

    def _value(self, value: object, depth: int) -> object:
        match value:
            case str():
                return self._text(value)
            case float():
                return self._number(value)
            case dict():
                return self.fields(value, depth)
            case list():
                return self._list(value, depth)
            case _:
                return value

    def _list(self, values: list[object], depth: int) -> list[object]:
        if depth > MAX_DEPTH:
            raise Refused(Reason.TOO_DEEP, f"nested more than {MAX_DEPTH} levels deep")
        return [self._value(value, depth + 1) for value in values]

    def _number(self, value: float) -> float | None:
        if math.isfinite(value):
            return value
        self.changed.add(Reason.NOT_FINITE_REPLACED)
        return None

    def _text(self, text: str) -> str:
        if "\0" in text:
            self.changed.add(Reason.NUL_REPLACED)
            text = text.replace("\0", NUL_SHOWN)
        if has_surrogate(text):
            self.changed.add(Reason.SURROGATE_REPLACED)
            text = _SURROGATE.sub(REPLACEMENT, text)
        if len(text) > MAX_TEXT:
            self.changed.add(Reason.TEXT_CUT)
            text = cut(text)
        return text
