"""The collector's side of the outbox: commands are taken, executed elsewhere, and answered.

At most once: a claim is committed before its command is executed and is never given back. Whoever dies in between
leaves a command of which nobody knows whether it took effect, and that is what readers are told.
"""

import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from flower_store import database, errors, notices, outbox, writes
from flower_store.settings import StoreSettings

HELD = timedelta(minutes=10)
"""How long answers are kept for whoever asked, and lookups at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A command that is ours alone. After `until`, by the monotonic clock, it must not be executed any more."""

    id: int
    kind: str
    target: Mapping[str, object]
    arguments: Mapping[str, object]
    payload: str | None
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command ended. `reply` stays in the log; `answer` is for whoever asked, and goes."""

    outcome: str
    reply: Mapping[str, object] = field(default_factory=dict)
    answer: str | None = None


Shown = Callable[[Claim], Mapping[str, object]]
"""The arguments as the log may keep them."""


def claim(
    writer: writes.Writer,
    collector: UUID,
    kinds: Collection[str],
    *,
    most: int,
    shown: Shown,
    clock: Callable[[], float] = time.monotonic,
) -> list[Claim]:
    """Take the oldest waiting commands; they are ours once this returns, and nobody's whom it did not reach.

    Raises Unavailable: some may be taken; `disown` tells that they were not executed.
    """
    # Before the question: what the database needs to answer counts against the time that is left.
    asked_at = clock()
    with writer.session() as connection, connection.transaction():
        rows = connection.execute(_WAITING, (writer.cluster_id, list(kinds), most)).fetchall()
        claims = [_claim(row, asked_at) for row in rows]
        for one in claims:
            connection.execute(_TAKE, (collector, Jsonb(shown(one)), one.id))
    return claims


def finish(writer: writes.Writer, collector: UUID, command_id: int, ending: Ending) -> None:
    """Store how it ended, once, and tell the API."""
    answer, reply = ending.answer, Jsonb(ending.reply)
    with writer.session() as connection, connection.transaction():
        connection.execute(_FINISH, (ending.outcome, reply, answer, command_id, collector))
        connection.execute("SELECT pg_notify(%s, %s)", (notices.ANSWERED, str(writer.cluster_id)))


def disown(writer: writes.Writer, collector: UUID, running: Sequence[int]) -> int:
    """End claims of ours that we never heard to be committed: they were not executed. Returns how many."""
    reply = Jsonb({"cause": "untaken", "error": "the database went away while it was taken: it was not executed"})
    with writer.session() as connection:
        return connection.execute(_DISOWN, (reply, collector, list(running))).rowcount


def tidy(writer: writes.Writer) -> None:
    """Drop what is no longer needed: arguments that nobody took in time, answers that were read, lookups."""
    with writer.session() as connection:
        connection.execute(_UNTAKEN, (writer.cluster_id,))
        for statement in (_LOOKUPS, _ANSWERS):
            connection.execute(statement, (writer.cluster_id, HELD))


def workers_alive(writer: writes.Writer) -> int:
    """How many workers of the cluster live, by their heartbeats."""
    with writer.session() as connection:
        row = connection.execute(_ALIVE, (writer.cluster_id,)).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def listening(settings: StoreSettings) -> Generator[Callable[[float], bool]]:
    """A way to wait for a command, so many seconds: whether one was announced. Raises Unavailable.

    Behind a pool in transaction mode nothing is ever heard: whoever waits must look now and then all the same.
    """
    url = database.libpq_url(settings.database_listen_url or settings.database_url)
    with errors.translated(), psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute(f"LISTEN {notices.ASKED}")

        def heard(seconds: float) -> bool:
            return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))

        yield heard


def _claim(row: tuple[object, ...], asked_at: float) -> Claim:
    command_id, kind, target, arguments, payload, left = row
    return Claim(
        id=command_id,  # type: ignore[arg-type]  # as the statement selects them
        kind=kind,  # type: ignore[arg-type]
        target=target,  # type: ignore[arg-type]
        arguments=arguments,  # type: ignore[arg-type]
        payload=payload,  # type: ignore[arg-type]
        until=asked_at + left,  # type: ignore[operator]
    )


_WAITING = """
SELECT id, kind, target, arguments, payload,
  extract(epoch FROM expires_at - clock_timestamp())::double precision
FROM command
WHERE cluster_id = %s AND claimed_at IS NULL AND expires_at > clock_timestamp() AND kind = ANY(%s)
ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
"""

_TAKE = """
UPDATE command SET claimed_at = clock_timestamp(), claimed_by = %s, payload = NULL, arguments = %s WHERE id = %s
"""

_FINISH = """
UPDATE command SET ended_at = clock_timestamp(), outcome = %s, reply = %s, answer = %s
WHERE id = %s AND claimed_by = %s AND ended_at IS NULL
"""

_DISOWN = f"""
UPDATE command SET ended_at = clock_timestamp(), outcome = '{outbox.FAILED}', reply = %s
WHERE claimed_by = %s AND ended_at IS NULL AND id <> ALL(%s::bigint[])
"""

_UNTAKEN = """
UPDATE command SET payload = NULL
WHERE cluster_id = %s AND claimed_at IS NULL AND payload IS NOT NULL AND expires_at < clock_timestamp()
"""

_LOOKUPS = f"DELETE FROM command WHERE cluster_id = %s AND kind = '{outbox.LOOKUP}' AND asked_at < now() - %s"

_ANSWERS = """
UPDATE command SET answer = NULL WHERE cluster_id = %s AND answer IS NOT NULL AND ended_at < now() - %s
"""

_ALIVE = "SELECT count(*) FROM worker WHERE cluster_id = %s AND alive_until > now()"
