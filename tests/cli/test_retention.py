"""`flower retention`: what would go, and then it goes."""

from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
from tests.cli.conftest import Run

from flower_store import factories, moments
from flower_store.settings import StoreSettings
from flower_store.writes import Writer

NUMBER = "SELECT count(*) FROM task"


def test_a_dry_run_tells_what_then_goes(flower: Run, database_url: str) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=40)
    writer = Writer(StoreSettings(database_url=database_url), cluster="default")
    writer.write([msgspec.structs.replace(factories.an_event("succeeded"), micros=moments.micros(long_ago))])
    writer.close()

    told = flower("retention", "--dry-run", "--database-url", database_url)
    with psycopg.connect(database_url) as connection:
        kept = connection.execute(NUMBER).fetchone()
        done = flower("retention", "--database-url", database_url)
        left = connection.execute(NUMBER).fetchone()
    again = flower("retention", "--database-url", database_url)

    assert (told.exit_code, done.exit_code, again.exit_code) == (0, 0, 0)
    assert "would go" in told.output
    assert "tasks      task                                1" in told.output
    assert "tasks      task                                1" in done.output
    assert again.output == "nothing gone\n"
    assert (kept, left) == ((1,), (0,))


def test_a_day_whose_rows_nobody_has_counted_is_told_alike_before_and_after(flower: Run, database_url: str) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=10)
    writer = Writer(StoreSettings(database_url=database_url), cluster="default")
    writer.connect()
    writer.ensure_partitions(long_ago)
    writer.write([msgspec.structs.replace(factories.an_event("succeeded"), micros=moments.micros(long_ago))])
    writer.close()

    told, done = (flower("retention", *dry, "--database-url", database_url) for dry in (["--dry-run"], []))

    (line,) = [line for line in told.output.splitlines() if f"task_event_{long_ago:%Y%m%d}" in line]
    assert "unknown" in line
    assert line in done.output


def test_a_rule_that_is_broken_is_told_in_one_sentence(flower: Run) -> None:
    refused = flower("retention", "--retention-tasks", "6d", "--database-url", "postgresql://nowhere/flower")

    assert refused.exit_code == 2
    assert "--retention-tasks" in refused.output
    assert "must not be shorter than --retention-events" in refused.output
