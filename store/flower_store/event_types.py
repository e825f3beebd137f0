"""Small codes for the types of task events, so that a row of the log spends two bytes on its type.

Celery's own have fixed codes, which are also rows of `event_type`; any other type gets an id there, from 100 on.
"""

from typing import Final

SENT: Final = 1
RECEIVED: Final = 2
STARTED: Final = 3
SUCCEEDED: Final = 4
FAILED: Final = 5
REJECTED: Final = 6
REVOKED: Final = 7
RETRIED: Final = 8
CANCELLED: Final = 9

FIRST_CUSTOM: Final = 100
"""The first code of `event_type`'s own numbering."""

CODES: Final = {
    "task-sent": SENT,
    "task-received": RECEIVED,
    "task-started": STARTED,
    "task-succeeded": SUCCEEDED,
    "task-failed": FAILED,
    "task-rejected": REJECTED,
    "task-revoked": REVOKED,
    "task-retried": RETRIED,
    "task-cancelled": CANCELLED,
}

NAMES: Final = {code: name for name, code in CODES.items()}
