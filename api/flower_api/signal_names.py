"""Signals by the names and numbers that Celery takes."""

import signal

KNOWN = frozenset(word for one in signal.Signals for word in (one.name, one.name.removeprefix("SIG"), str(int(one))))
"""In capitals."""
