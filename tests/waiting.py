"""Waiting for a condition, with a deadline that only a hanging program meets."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

GENEROUS = 120.0

PATIENT = timedelta(seconds=60)
"""For a read of the database: on a machine that stands still for seconds none of them is a time-out."""


def eventually(ask: Callable[[], T], *, within: float = GENEROUS) -> T:
    """The first answer that is true; fails with the last one when none was in time (seconds)."""
    deadline = time.monotonic() + within
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {within} s"
        time.sleep(0.02)
    return answer
