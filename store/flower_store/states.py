"""The state of a task, derived from its registers: a generated column, so it can be improved without touching data.

The rule, in order (`docs/architecture.md`, "The merge rule"; tried on the cases in `tests/store/cases.py`):

1. succeeded: SUCCESS, whatever else is there.
2. The later of failed and revoked if neither started nor received is later, or else rejected if none is:
   FAILURE, REVOKED or REJECTED. (Celery 5.7 tells a refused task as failed and rejected: a FAILURE.) Where something
   began after the last end, the task was sent again, and what is older than that end does not count.
3. started, unless the same process has since given the task back: STARTED.
4. given back: RETRY when retried, even if the next attempt is already received (it waits for its time);
   otherwise RECEIVED when received again, else REJECTED.
5. received: RECEIVED. 6. sent: PENDING. 7. anything else: UNKNOWN.

Where no event tells an end, what a result backend was found to know (`reconciling.py`) is the state, unless something
began after it: the register with the lowest key, which no event writes.
"""

PENDING = "PENDING"
RECEIVED = "RECEIVED"
STARTED = "STARTED"
SUCCESS = "SUCCESS"
FAILURE = "FAILURE"
RETRY = "RETRY"
REVOKED = "REVOKED"
REJECTED = "REJECTED"
UNKNOWN = "UNKNOWN"

ALL = (PENDING, RECEIVED, STARTED, RETRY, SUCCESS, FAILURE, REVOKED, REJECTED, UNKNOWN)
ENDED = (SUCCESS, FAILURE, REVOKED, REJECTED)


def _later(left: str, right: str) -> str:
    """SQL: register `left` is there, and `right` is not there or is older."""
    pairs = (", ".join(f"{name}_{part}" for part in ("at", "clock", "digest")) for name in (left, right))
    newer = "({}) > ({})".format(*pairs)
    return f"({left}_at IS NOT NULL AND ({right}_at IS NULL OR {newer}))"


def _covered(name: str) -> str:
    """SQL: the register is not there, or an end that is no longer the last word is later than it."""
    ends = " OR ".join(f"NOT {_later(name, end)}" for end in ("failed", "revoked", "rejected"))
    return f"({name}_at IS NULL OR {ends})"


def _ended(name: str, *, over: tuple[str, ...]) -> str:
    """SQL: this end is the last word: later than the other ends, and nothing began after it."""
    conditions = [f"{name}_at IS NOT NULL"]
    conditions += [f"NOT {_later(other, name)}" for other in over]
    conditions += [f"NOT {_later(begin, name)}" for begin in ("started", "received")]
    return "(" + " AND ".join(conditions) + ")"


_RUNNING = (
    f"(NOT {_covered('started')} AND (yielded_at IS NULL OR {_later('started', 'yielded')} OR "
    "(started_worker_id, started_pid) IS DISTINCT FROM (yielded_worker_id, yielded_pid)))"
)

_RULES: tuple[tuple[str, str, str], ...] = (
    ("succeeded_at IS NOT NULL", SUCCESS, "succeeded_worker_id"),
    (_ended("failed", over=("revoked",)), FAILURE, "failed_worker_id"),
    (_ended("revoked", over=("failed",)), REVOKED, "revoked_worker_id"),
    (_ended("rejected", over=()), REJECTED, "rejected_worker_id"),
    (_RUNNING, STARTED, "started_worker_id"),
    (f"NOT {_covered('yielded')} AND yielded_type = 'task-retried'", RETRY, "yielded_worker_id"),
    (
        f"NOT {_covered('yielded')} AND {_later('yielded', 'received')}",
        REJECTED,
        "yielded_worker_id",
    ),
    ("received_at IS NOT NULL", RECEIVED, "received_worker_id"),
    ("sent_at IS NOT NULL", PENDING, "NULL::integer"),
)


def _case(column: int, otherwise: str) -> str:
    branches = " ".join(f"WHEN {rule[0]} THEN {rule[column]}" for rule in _QUOTED_RULES)
    return f"CASE {branches} ELSE {otherwise} END"


_QUOTED_RULES = tuple((condition, f"'{state}'::text", worker) for condition, state, worker in _RULES)

_TOLD_SQL = _case(1, f"'{UNKNOWN}'::text")

_ENDS = ", ".join(f"'{state}'" for state in ENDED)

_FOUND = (
    "found_at IS NOT NULL AND (started_at IS NULL OR started_at <= found_at) "
    f"AND (received_at IS NULL OR received_at <= found_at) AND {_TOLD_SQL} NOT IN ({_ENDS})"
)
"""SQL: the result backend knew the end of a task of which no event tells the end, and nothing began since."""

STATE_SQL = f"CASE WHEN {_FOUND} THEN found_state ELSE {_TOLD_SQL} END"
"""The state, over the columns of `task`: as its events tell it, or else as the result backend knew it."""

RECONCILED_SQL = f"CASE WHEN {_FOUND} THEN true END"
"""Whether the state is the result backend's."""

WORKER_SQL = _case(2, "custom_worker_id")
"""The worker whose event decided the state."""
