"""When a collector is killed: at a piece of what passes its line to the database (`proxy.Proxy.breaks_…`)."""

import os
import signal
from collections.abc import Callable

from tests.faults.scene import Member

Breaks = Callable[[bytes], bool]

COMMITTED = b"COMMIT\0"
"""The end of PostgreSQL's answer to a COMMIT (CommandComplete)."""


def when(member: Member, is_due: Breaks) -> Breaks:
    """Kill the collector when it is due; from then on nothing passes, whatever is still in the line."""
    killed = False

    def breaks(data: bytes) -> bool:
        nonlocal killed
        if not killed and is_due(data):
            killed = True
            os.kill(member.process.pid, signal.SIGKILL)
        return killed

    return breaks


def at(member: Member, piece: bytes, *, after: bytes) -> Breaks:
    """Kill the collector at the first of these pieces once one with `after` has passed."""
    passed = False

    def is_due(data: bytes) -> bool:
        nonlocal passed
        passed = passed or after in data
        return passed and piece in data

    return when(member, is_due)
