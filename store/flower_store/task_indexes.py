"""The indexes of tasks, and what is computed from a task's columns where an index has it.

PostgreSQL takes an index for a search only where the search says the same, to the word: so both say it from here.
"""

from typing import Final

from sqlalchemy import ColumnElement, Double, Index, case, cast, extract, func, literal_column

from flower_store import states, tables

_T = tables.task.c

LONG_RUN: Final = 1
"""Seconds from which run times are indexed. A process runs one task at a time, so of those there are few a second."""

LONG_WAIT: Final = 10
"""Seconds from which waits are indexed."""

LONGEST_CLASS: Final = 100
"""Characters of an exception's class that are indexed; an entry must not be long."""

RETRIES = func.greatest(func.coalesce(_T.sent_retries, 0), func.coalesce(_T.received_retries, 0))
"""How often it was tried again."""

RETRIES_AS_NUMBER = cast(RETRIES, Double)
"""As it is compared: searches have numbers with a fraction."""

WAIT = cast(extract("epoch", _T.started_at - func.coalesce(_T.sent_at, _T.received_at)), Double)
"""Seconds between its being sent, or else received, and its start, by clocks that may disagree."""

RAN_LONG = _T.runtime >= literal_column(str(LONG_RUN))
WAITED_LONG = WAIT.op(">=", is_comparison=True)(literal_column(str(LONG_WAIT)))
ERRED = _T.state.in_([literal_column(f"'{states.FAILURE}'"), literal_column(f"'{states.RETRY}'")])

EXCEPTION = case(
    (_T.state == literal_column(f"'{states.FAILURE}'"), func.coalesce(_T.exception, _T.found_result)),
    else_=_T.yielded_exception,
)
"""The representation of its last exception, where it failed or is to be tried again."""

ERROR_CLASS: ColumnElement[str] = func.left(
    func.split_part(EXCEPTION, literal_column("'('"), literal_column("1")), literal_column(str(LONGEST_CLASS))
).collate("C")
"""What stands before the parenthesis."""

# Without the key behind the time: ties are rare and sorted at reading, and 16 bytes an entry are a third of it.
Index("ix_task_seen", _T.cluster_id, _T.seen_at)
# Nine tenths of all tasks succeed, and are found by their time as fast.
Index("ix_task_state", _T.cluster_id, _T.state, _T.seen_at, postgresql_where=_T.state != states.SUCCESS)
Index("ix_task_name", _T.cluster_id, _T.name_id, _T.seen_at)
Index("ix_task_worker", _T.cluster_id, _T.worker_id, _T.seen_at)
Index("ix_task_failed", _T.cluster_id, _T.failed_at, postgresql_where=_T.state == states.FAILURE)
Index("ix_task_parent", _T.cluster_id, _T.parent_key, postgresql_where=_T.parent_key.is_not(None))
Index("ix_task_root", _T.cluster_id, _T.root_key, postgresql_where=_T.root_key.is_not(None))
# The number behind the time: entries that do not match are passed over without a look at their rows.
Index("ix_task_retried", _T.cluster_id, _T.seen_at, RETRIES_AS_NUMBER, postgresql_where=RETRIES > 0)
Index("ix_task_eta", _T.cluster_id, _T.seen_at, postgresql_where=_T.due_at.is_not(None))
Index("ix_task_error", _T.cluster_id, ERROR_CLASS, _T.seen_at, postgresql_where=ERRED)
Index("ix_task_runtime", _T.cluster_id, _T.runtime, postgresql_where=RAN_LONG)
Index("ix_task_wait", _T.cluster_id, _T.seen_at, WAIT, postgresql_where=WAITED_LONG)
Index("ix_task_found", _T.cluster_id, _T.found_at, postgresql_where=_T.found_at.is_not(None))
Index(
    "ix_task_group",
    _T.cluster_id,
    _T.failed_group_id,
    _T.failed_at,
    postgresql_where=_T.failed_group_id.is_not(None),
)
Index(
    "ix_task_found_group",
    _T.cluster_id,
    _T.found_group_id,
    postgresql_where=_T.found_group_id.is_not(None),
)

Index(
    "ix_task_due",
    _T.cluster_id,
    _T.due_at,
    postgresql_where=_T.due_at.is_not(None) & _T.state.in_([states.PENDING, states.RECEIVED, states.RETRY]),
)

BY_NAME = {str(index.name): index for index in tables.task.indexes}
