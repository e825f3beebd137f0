"""Texts without regard to case, as Python's casefold has it: PostgreSQL 15 has no such function.

Lowering A to Z gives the same, but for texts that hold one of the few other letters which casefold changes, and of
those only what could be part of the wanted text (`ß` of `strasse`, say). Such texts are doubtful: here they count as
matching, and who asks looks again in Python.
"""

import functools
import sys
from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, case, false, func, or_


def lowered(column: ColumnElement[Any]) -> ColumnElement[str]:
    """The text with A to Z in lower case: a third of the time of ILIKE, which asks the locale for each letter."""
    return func.lower(column.collate("C"))


def has(column: ColumnElement[Any], folded: str, *, sure: bool = False) -> ColumnElement[bool]:
    """That the text contains this casefolded one; without `sure` also every text that only Python can tell."""
    found = lowered(column).contains(folded, autoescape=True)
    return found if sure else or_(found, _doubtful(column, folded))


def equals(column: ColumnElement[Any], folded: str, *, sure: bool = False) -> ColumnElement[bool]:
    """That the text is this casefolded one."""
    found = lowered(column) == folded
    return found if sure else or_(found, _doubtful(column, folded))


def doubts(column: ColumnElement[Any], *folded: str) -> list[ColumnElement[bool]]:
    """That only Python can tell whether the text contains one of these."""
    return [_doubtful(column, one) for one in folded]


def _doubtful(column: ColumnElement[Any], folded: str) -> ColumnElement[bool]:
    letters = [letter for letter, becomes in _changing() if _overlap(becomes, folded)]
    if not letters:
        return false()
    ascii_alone = func.octet_length(column) == func.char_length(column)
    return case((ascii_alone, false()), else_=column.collate("C").regexp_match(_class(letters)))


def _overlap(becomes: str, folded: str) -> bool:
    """Whether what a letter becomes can be a part of the wanted text, or reach over its beginning or end."""
    if becomes in folded or folded in becomes:
        return True
    parts = range(1, len(becomes))
    return any(folded.startswith(becomes[part:]) or folded.endswith(becomes[:part]) for part in parts)


@functools.cache
def _changing() -> tuple[tuple[str, str], ...]:
    """All letters beyond ASCII that casefold changes, and what they become."""
    letters = map(chr, range(128, sys.maxunicode + 1))
    return tuple((letter, letter.casefold()) for letter in letters if letter.casefold() != letter)


def _class(letters: Iterable[str]) -> str:
    return f"[{''.join(letters)}]"
