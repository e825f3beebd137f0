"""Opening the spool at start: what is there is used, what is broken moved aside, and without any, memory has to do."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import structlog

from flower_collector import spool, spooler, spools
from flower_collector.backoff import Backoff
from flower_collector.gaps import Gaps
from flower_collector.metrics import Metrics
from flower_collector.settings import CollectorSettings
from flower_collector.spooled import SpooledBuffer
from flower_collector.spooler import Spooler

log = structlog.get_logger()

SPOOL_LEFT_BEHIND = "spool of another collector is read by nobody"

WHAT_TO_DO = "start a collector with the cluster that the file is named after and its broker, or delete the file"

WITHOUT = "past it the oldest messages are dropped while the database is away"


def opened(
    settings: CollectorSettings, broker: str, *, noted: Gaps, metrics: Metrics, backoff: Backoff
) -> tuple[SpooledBuffer, Spooler] | None:
    """A buffer that goes on on disk, and the thread for it; None where there is to be none or can be none."""
    if not (settings.spool_dir and settings.spool_max_bytes):
        log.warning(spooler.NO_SPOOL, reason="none is configured", memory=settings.buffer_max_bytes, then=WITHOUT)
        return None
    owner = spools.owner_of(settings.cluster, broker)
    try:
        directory = Path(settings.spool_dir).expanduser()
        opening = spools.opened(directory, owner=owner, size=settings.spool_max_bytes)
        kept = opening.spool.take_gaps()
    except (OSError, RuntimeError, sqlite3.Error, spool.Broken) as error:
        metrics.spool_failures.inc()
        reason = f"spool_dir {settings.spool_dir} cannot be used: {error}"
        log.warning(spooler.NO_SPOOL, reason=reason, memory=settings.buffer_max_bytes, then=WITHOUT)
        return None
    for path in opening.set_aside:
        metrics.spool_failures.inc()
        noted.note(spooler.lost_file(path, datetime.now(UTC)))
    for path in spools.left_behind(directory, opening.spool.path):
        log.warning(SPOOL_LEFT_BEHIND, file=str(path), what_to_do=WHAT_TO_DO)
    found = opening.spool
    for gap in kept:
        noted.note(gap)
    log.info(spooler.SPOOL_OPENED, file=str(found.path), messages=found.unread, unredacted=True)
    buffer = SpooledBuffer(
        messages=settings.buffer_size,
        size=settings.buffer_max_bytes,
        first=found.last + 1,
        spooled=bool(found.unread),
    )
    thread = Spooler(found, buffer, size=settings.spool_max_bytes, noted=noted, metrics=metrics, backoff=backoff)
    return buffer, thread
