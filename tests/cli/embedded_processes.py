"""Waiting for processes that are not ours to wait for: grandchildren, and what a killed owner leaves."""

import time
from collections.abc import Callable

import psutil

LIMIT_SECONDS = 30.0


def until(true: Callable[[], bool]) -> None:
    """Return when the condition holds; fail when it does not come to hold."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"not true after {LIMIT_SECONDS} s"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has buried yet has ended, too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
