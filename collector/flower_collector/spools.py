"""The directory of spools: which file a collector takes, what is moved out of its way, and what nobody reads."""

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import structlog

from flower_collector.spool import Broken, Spool

log = structlog.get_logger()

SPOOL_SET_ASIDE = "spool set aside"

_PLACES = 64
"""Files of one cluster on one machine, that is collectors that can have one."""

_IN_USE = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


@dataclass(frozen=True, slots=True)
class Opening:
    """A spool, and the files that stood in its place and were none."""

    spool: Spool
    set_aside: Sequence[Path]


def opened(directory: Path, *, owner: str, size: int) -> Opening:
    """The first spool of this owner that no other process has; see `_names`. Raises OSError, sqlite3.Error."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside: list[Path] = []
    for path in _names(directory, owner):
        try:
            return Opening(_mended(path, size, aside), aside)
        except sqlite3.Error as error:
            if error.sqlite_errorcode & 0xFF not in _IN_USE:
                raise
    raise OSError(f"{directory} has {_PLACES} spools in use")


def left_behind(directory: Path, ours: Path) -> Iterator[Path]:
    """Spools with something in them that no process has: of another cluster or broker, or of a further collector."""
    for path in sorted(directory.glob("*.spool")):
        if path != ours and _holds(path):
            yield path


def owner_of(cluster: str, broker: str) -> str:
    """The name under which collectors of this cluster at this broker leave what they could not store."""
    return f"{cluster}-{hashlib.sha256(broker.encode()).hexdigest()[:8]}"


def set_aside(path: Path, error: Exception) -> Path:
    """Move a file that cannot be read out of the way, with its log, for somebody to look at."""
    kept = next(to for number in count() if not (to := path.with_suffix(f".broken-{number}")).exists())
    path.rename(kept)
    for suffix in ("-wal", "-shm", "-journal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(kept.with_name(kept.name + suffix))
    log.error(SPOOL_SET_ASIDE, file=str(path), moved_to=str(kept), error=str(error))
    return kept


def _names(directory: Path, owner: str) -> Iterator[Path]:
    """What was left behind first, so that it is read; then new names."""
    paths = [directory / f"{owner}-{place}.spool" for place in range(_PLACES)]
    yield from sorted(paths, key=lambda path: not path.exists())


def _mended(path: Path, size: int, aside: list[Path]) -> Spool:
    try:
        return Spool(path, size=size)
    except Broken as error:
        aside.append(set_aside(path, error))
        return Spool(path, size=size)


def _holds(path: Path) -> bool:
    """Whether anything is in it; not of a file that is in use, which its own collector reads, or is none of ours."""
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=0)) as file:
        return bool(file.execute("SELECT EXISTS (SELECT * FROM message)").fetchone()[0])
    return False
