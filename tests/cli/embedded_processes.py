"""Processes that are not ours to wait for: grandchildren, and what a killed owner leaves."""

import psutil


def gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody has buried yet has ended, too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
