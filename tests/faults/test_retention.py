"""T59: a day of the log is dropped while events come in, and somebody reads that day; no batch waits for either."""

import logging
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.faults import trial
from tests.faults.trial import Trial

from flower_store import partitions, retention
from flower_store.lifetimes import RetentionSettings
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)

TWENTY_DAYS = timedelta(days=20)
A_DAY_LONG_AGO = """
CREATE TEMPORARY TABLE old AS SELECT * FROM task_event LIMIT 300;
UPDATE old SET at = at - interval '20 days';
INSERT INTO task_event SELECT * FROM old
"""


def test_a_day_of_the_log_is_dropped_under_load_and_no_batch_waits(
    tmp_path: Path, rabbitmq_url: str, database_url: str, seed: int
) -> None:
    with trial.under_load(tmp_path, rabbitmq_url, database_url, direct=lambda: database_url, seed=seed) as tried:
        with psycopg.connect(database_url) as connection:
            partitions.ensure(connection, datetime.now(UTC) - TWENTY_DAYS)
            connection.execute(A_DAY_LONG_AGO)

        with psycopg.connect(database_url) as reader:
            reader.execute("SELECT count(*) FROM task_event")
            for _ in range(3):
                assert {gone.done for gone in swept(database_url) if gone.kind == "events"} == {False}
                tried.goes_on()
        assert {gone.done for gone in swept(database_url) if gone.kind == "events"} == {True}

        tried.goes_on()
        log.info("%d of %d batches within a second", *batches(tried))
        assert trial.metric(tried.process, "flower_collector_write_failures_total") == 0
        tried.all_is_there_once()


def swept(database_url: str) -> list[retention.Gone]:
    """What the leader does in a sweep."""
    writer = Writer(StoreSettings(database_url=database_url), cluster="default")
    try:
        return list(retention.steps(writer, RetentionSettings(), datetime.now(UTC), threading.Event()))
    finally:
        writer.close()


def batches(tried: Trial) -> tuple[int, int]:
    """Those committed within a second, and all."""
    count = "flower_collector_batch_seconds_count"
    within = 'flower_collector_batch_seconds_bucket{le="1.0"}'
    lines = [line.rpartition(" ") for line in tried.process.page("metrics").splitlines()]
    found = {key: round(float(value)) for key, _, value in lines if key in (count, within)}
    return found[within], found[count]
