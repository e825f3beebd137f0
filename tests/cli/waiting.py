"""Waits for a condition that another process brings about."""

import time
from collections.abc import Callable


def until(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Return when it holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
