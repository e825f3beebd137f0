"""Messages on disk: one SQLite file that is bounded, belongs to one collector at a time, and outlives it.

A message's place (`Message.tag`) is its key, so order is the order of arrival, whatever is written when. Owned by one
thread. Rows are as they came from the broker: redaction happens when they are read back, at the gate (ADR 15).
"""

import os
import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flower_collector.gaps import Gap
from flower_collector.losing import Losing, Loss
from flower_collector.message import Message, Origin
from flower_store.reasons import Reason

LARGEST_CHUNK = 4 * 1024**2
"""Bytes of bodies in one transaction: some thousand messages, for which one wait on the disk is nothing."""

SHARE = 16
"""A transaction, a message and what SQLite's log holds between checkpoints are each at most this part of the bound."""

LOGGED = 4
"""The part of the bound that is left to SQLite's log beside the file."""

_ROW = 128
"""Bytes that a row takes beside its body, about."""

_PAGE = 4096
_APPLICATION = 0x464C5233
"""Tells our files from other people's: FLR3."""
_VERSION = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})

_TABLE = """
CREATE TABLE IF NOT EXISTS message (
  place INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, content_type TEXT NOT NULL, content_encoding TEXT NOT NULL,
  compression TEXT NOT NULL, routing_key TEXT NOT NULL, fault TEXT, body BLOB NOT NULL
)
"""
_GAPS = """
CREATE TABLE IF NOT EXISTS gap (
  started_at TEXT, ended_at TEXT, reason TEXT, detail TEXT, count INTEGER, at_least INTEGER
)
"""
_INSERT = "INSERT OR IGNORE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_NEXT = "SELECT * FROM message WHERE place > ? ORDER BY place"

_OLDEST = "SELECT place, received_at, body FROM message ORDER BY place"
_MOST_DROPPED = 1_000
"""Rows deleted in one transaction."""

_Row = tuple[int, int, str, str, str, str, str | None, bytes]


class Broken(Exception):
    """The file is no spool, or no longer one: it can be moved aside, and not read."""


class Spool:
    """One file, opened and locked. Raises sqlite3.Error and OSError, and Broken where the file itself is the reason."""

    def __init__(self, path: Path, *, size: int) -> None:
        self.path = path
        self.chunk = min(LARGEST_CHUNK, size // SHARE)
        """Bytes of bodies to append or read at once."""
        self._most = (size - size // LOGGED) // _PAGE
        self._largest = size // SHARE
        self._read_to = self._last = -1
        self._unread = 0
        self._holds = False
        self._losing = Losing()
        _make_private(path)
        self._file = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with _told():
                self._prepare(size)
        except BaseException:
            self._file.close()
            raise

    @property
    def unread(self) -> int:
        """Messages that wait to be read."""
        return self._unread

    @property
    def last(self) -> int:
        """The highest place that is taken; -1 where none is."""
        return self._last

    @property
    def size(self) -> int:
        """Bytes in use within the file."""
        return self._used() * _PAGE

    def append(self, messages: Sequence[Message]) -> None:
        """Commit these, the oldest unread ones going where there is no room. What is there already is left as it is."""
        with _told():
            fitting = [one for one in messages if len(one.body) <= self._largest]
            for refused in (one for one in messages if len(one.body) > self._largest):
                self._losing.lose(refused.body, refused.received_at)
            try:
                self._append(fitting)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL or self._used() < self._most // 2:
                    raise  # it is the disk that is full, not the file
                self._make_room(self._most // SHARE)
                self._append(fitting)

    def read(self, most: int, *, origin: Origin) -> list[Message]:
        """The next messages, up to so many and about a chunk; they stay in the file until `forget`."""
        size = self.chunk
        messages: list[Message] = []
        with _told(), closing(self._file.execute(_NEXT, (self._read_to,))) as rows:
            for row in rows:
                messages.append(_message(row, origin))
                size -= len(row[-1]) + _ROW
                if size <= 0 or len(messages) >= most:
                    break
        if messages:
            self._read_to = messages[-1].tag
            self._unread -= len(messages)
        return messages

    def begin_anew(self) -> None:
        """Count everything in the file as unread again: what was read is about to be lost from memory."""
        self._read_to = -1
        self._unread = self._rows()

    def forget(self, place: int) -> None:
        """Delete everything up to this place: it is committed elsewhere."""
        with _told():
            self._file.execute("DELETE FROM message WHERE place <= ?", (place,))
            self._holds = _one(self._file.execute("SELECT EXISTS (SELECT * FROM message)")) == 1
            if not self._holds:
                self._file.execute("PRAGMA incremental_vacuum").fetchall()

    @property
    def rows(self) -> int:
        """Messages in the file, read or not."""
        return self._rows()

    @property
    def holds(self) -> bool:
        """Whether anything is in the file."""
        return self._holds

    def take_loss(self) -> Loss | None:
        """What was dropped for want of room since the last call."""
        return self._losing.take()

    def keep(self, gaps: Iterable[Gap]) -> None:
        """Leave these to whoever opens the file next: the database was not there to record them."""
        rows = [
            (
                one.started_at and one.started_at.isoformat(), one.ended_at.isoformat(), one.reason, one.detail,
                one.count, one.at_least,
            )
            for one in gaps
            if not one.found_again
        ]  # fmt: skip
        with _told(), self._transaction():
            self._file.executemany("INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?)", rows)

    def take_gaps(self) -> list[Gap]:
        """What was kept, and is now the caller's to record."""
        with _told(), self._transaction():
            rows = self._file.execute("DELETE FROM gap RETURNING *").fetchall()
        return [
            Gap(
                began and datetime.fromisoformat(began), datetime.fromisoformat(ended), reason, detail,
                count=count, at_least=bool(at_least),
            )
            for began, ended, reason, detail, count, at_least in rows
        ]  # fmt: skip

    def close(self) -> None:
        """Close the file; one that holds nothing is removed."""
        with suppress(sqlite3.Error):
            if not self._rows() and not _one(self._file.execute("SELECT count(*) FROM gap")):
                # In this order: log and file go while the lock is ours, or they might be another's by then.
                self._file.execute("PRAGMA journal_mode = DELETE").fetchall()
                self.path.unlink(missing_ok=True)
        with suppress(sqlite3.Error):
            self._file.close()

    def abandon(self) -> None:
        """Close a file that is broken, and leave it as it is."""
        with suppress(sqlite3.Error):
            self._file.close()

    def _prepare(self, size: int) -> None:
        run = self._file.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        if not _one(run("PRAGMA page_count")):
            run(f"PRAGMA page_size = {_PAGE}")
            run("PRAGMA auto_vacuum = INCREMENTAL")
        else:
            self._check()
        # A crash of the collector loses nothing that was committed, one of the machine perhaps the last second.
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA synchronous = NORMAL")
        run(f"PRAGMA wal_autocheckpoint = {max(1, min(LARGEST_CHUNK, size // SHARE) // _PAGE)}")
        run(f"PRAGMA journal_size_limit = {size // LOGGED}")
        run("BEGIN EXCLUSIVE")  # takes the lock, which this mode keeps
        run(_TABLE)
        run(_GAPS)
        run(f"PRAGMA application_id = {_APPLICATION}")
        run(f"PRAGMA user_version = {_VERSION}")
        run("COMMIT")
        self._unread = self._rows()
        self._holds = bool(self._unread)
        self._last = _one(run("SELECT coalesce(max(place), -1) FROM message"))
        self._shrink()

    def _check(self) -> None:
        """Before anything is written to a file that may not be ours."""
        run = self._file.execute
        if (_one(run("PRAGMA application_id")), _one(run("PRAGMA user_version"))) != (_APPLICATION, _VERSION):
            raise Broken("it is no spool of this build")
        (found,) = run("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Broken(str(found))

    def _shrink(self) -> None:
        """Fit into a bound that is smaller than it was."""
        self._make_room(0)
        while _one(self._file.execute("PRAGMA page_count")) > self._most:
            before = self._free()
            self._file.execute(f"PRAGMA incremental_vacuum({max(1, self._most // SHARE)})").fetchall()
            if self._free() == before:
                break
        self._file.execute(f"PRAGMA max_page_count = {self._most}")
        self._file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _append(self, messages: Sequence[Message]) -> None:
        need = sum(len(one.body) // _PAGE + 1 if len(one.body) > _PAGE // 8 else 0 for one in messages)
        need += sum(len(one.body) + _ROW for one in messages if len(one.body) <= _PAGE // 8) // _PAGE + 4
        if self._used() + need > self._most:
            self._make_room(need)
        before = self._file.total_changes
        with self._transaction():
            self._file.executemany(_INSERT, map(_row, messages))
        self._holds = self._holds or bool(messages)
        self._unread += self._file.total_changes - before
        self._last = max(self._last, *(one.tag for one in messages)) if messages else self._last

    def _make_room(self, pages: int) -> None:
        """Drop the oldest until so many more pages fit. What was read already is no loss: it is in memory."""
        while self._used() + pages > self._most:
            rows = self._oldest((self._used() + pages - self._most) * _PAGE)
            if not rows:
                return
            with self._transaction():
                self._file.execute("DELETE FROM message WHERE place <= ?", (rows[-1][0],))
            for place, received_at, body in rows:
                if place > self._read_to:
                    self._unread -= 1
                    self._losing.lose(body, _EPOCH + received_at * _MICROSECOND)

    def _oldest(self, size: int) -> list[tuple[int, int, bytes]]:
        """Place, time and body of the oldest messages that take about so many bytes."""
        oldest: list[tuple[int, int, bytes]] = []
        with closing(self._file.execute(_OLDEST)) as rows:
            for place, received_at, body in rows:
                oldest.append((place, received_at, body))
                size -= len(body) + _ROW
                if size <= 0 or len(oldest) >= _MOST_DROPPED:
                    break
        return oldest

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._file.execute("COMMIT")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise

    def _rows(self) -> int:
        return _one(self._file.execute("SELECT count(*) FROM message"))

    def _used(self) -> int:
        return _one(self._file.execute("PRAGMA page_count")) - self._free()

    def _free(self) -> int:
        return _one(self._file.execute("PRAGMA freelist_count"))


@contextmanager
def _told() -> Generator[None]:
    """Tell a broken file from a disk that fails."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN:
            raise Broken(str(error)) from error
        raise


def _make_private(path: Path) -> None:
    """Before SQLite makes it, which would ask the umask alone; its log gets the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)


def _one(rows: sqlite3.Cursor) -> int:
    """The first value of the first row."""
    value: int = rows.fetchone()[0]
    rows.close()
    return value


def _row(message: Message) -> _Row:
    return (
        message.tag,
        (message.received_at - _EPOCH) // _MICROSECOND,
        message.content_type,
        message.content_encoding,
        message.compression,
        message.routing_key,
        message.fault,
        message.body,
    )


def _message(row: _Row, origin: Origin) -> Message:
    place, received_at, content_type, content_encoding, compression, routing_key, fault, body = row
    return Message(
        body=body,
        content_type=content_type,
        content_encoding=content_encoding,
        compression=compression,
        routing_key=routing_key,
        received_at=_EPOCH + received_at * _MICROSECOND,
        origin=origin,
        tag=place,
        fault=Reason(fault) if fault else None,
    )
