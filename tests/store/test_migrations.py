"""The migrations give exactly the declared tables, once, whoever runs them."""

import subprocess
import sys
from datetime import timedelta

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.schema import CreateIndex

import flower_migrations
from flower_store import database, errors, schema, states, tables, task_indexes
from flower_store.settings import SettingError, StoreSettings
from flower_store.writes import Writer


def declared(name: str | None, kind: str, _parents: object) -> bool:
    """Partitions are rows' places, not tables of the contract."""
    return not (kind == "table" and (name or "").startswith(("task_event_", "queue_sample_")))


def compared(_object: object, name: str | None, kind: str, _reflected: object, _other: object) -> bool:
    """Indexes of tasks have a test of their own."""
    return not (kind == "index" and name in task_indexes.BY_NAME)


@pytest.mark.filterwarnings("ignore:Computed default")  # compared word for word by the next test
def test_the_migrations_give_exactly_the_declared_tables(database_url: str) -> None:
    with database.connect(database_url, timeout=timedelta(minutes=1)) as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": declared,
                "include_object": compared,
                "compare_type": True,
                "compare_server_default": True,
            },
        )

        differences = compare_metadata(context, tables.metadata)

    assert differences == []


def test_the_state_column_is_computed_by_the_rule_of_this_build(database_url: str) -> None:
    found = (
        "SELECT pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d JOIN pg_attribute a "
        "ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum) WHERE d.adrelid = 'task'::regclass AND a.attname = %s"
    )
    with psycopg.connect(database_url) as connection:
        connection.execute(
            f"ALTER TABLE task ADD s text GENERATED ALWAYS AS ({states.STATE_SQL}) STORED, "
            f"ADD r boolean GENERATED ALWAYS AS ({states.RECONCILED_SQL}) STORED, "
            f"ADD w integer GENERATED ALWAYS AS ({states.WORKER_SQL}) STORED".encode()
        )

        by_migration = [connection.execute(found, (name,)).fetchone() for name in ("state", "reconciled", "worker_id")]
        by_this_build = [connection.execute(found, (name,)).fetchone() for name in ("s", "r", "w")]
        connection.rollback()

    assert by_migration == by_this_build


def test_the_indexes_of_tasks_are_made_of_the_words_of_this_build(database_url: str) -> None:
    """Else no search would find them: an expression is compared as it was read."""
    found = "SELECT pg_get_indexdef(%s::regclass)"
    there = "SELECT indexname FROM pg_indexes WHERE tablename = 'task' AND indexname LIKE 'ix_%'"
    with psycopg.connect(database_url) as connection:
        assert {name for (name,) in connection.execute(there).fetchall()} == task_indexes.BY_NAME.keys()
        for index in task_indexes.BY_NAME.values():
            by_migration = connection.execute(found, (index.name,)).fetchone()
            connection.execute(f"DROP INDEX {index.name}".encode())
            connection.execute(
                str(CreateIndex(index).compile(dialect=create_engine("postgresql+psycopg://").dialect)).encode()
            )
            by_this_build = connection.execute(found, (index.name,)).fetchone()

            assert by_migration == by_this_build
        connection.rollback()


def test_the_newest_migration_is_the_revision_that_the_store_needs() -> None:
    scripts = ScriptDirectory.from_config(flower_migrations.config(None))

    assert scripts.get_current_head() == schema.REVISION


def test_tasks_of_the_first_revision_keep_their_values(empty_database_url: str) -> None:
    flower_migrations.upgrade(empty_database_url, "0001")
    told = "key, seen_at, args, parent_key, started_pid, result, runtime, terminated, state, worker_id"
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO cluster (slug) VALUES ('default')")
        connection.execute(
            "INSERT INTO task (cluster_id, key, seen_at, last_at, args, parent_key, started_pid, result, "
            "runtime, terminated, succeeded_at, succeeded_worker_id, failed_digest) SELECT 1, gen_random_uuid(), "
            "now(), now(), n::text, gen_random_uuid(), n, 'done', 0.5, true, CASE WHEN n > 1 THEN now() END, n, "
            "2^40::bigint FROM generate_series(1, 3) AS n"
        )
        before = connection.execute(f"SELECT {told} FROM task ORDER BY key".encode()).fetchall()

    flower_migrations.upgrade(empty_database_url)

    with psycopg.connect(empty_database_url) as connection:
        after = connection.execute(f"SELECT {told} FROM task ORDER BY key".encode()).fetchall()
        connection.execute(
            "INSERT INTO task (cluster_id, key, seen_at, last_at) VALUES (1, gen_random_uuid(), now(), now())"
        )
        numbers = connection.execute("SELECT count(*), count(DISTINCT id), min(id) FROM task").fetchone()
    assert after == before
    assert numbers == (4, 4, 1)


def test_processes_that_migrate_at_once_wait_for_each_other(empty_database_url: str) -> None:
    program = "import sys, flower_migrations; flower_migrations.upgrade(sys.argv[1])"

    started = [subprocess.Popen([sys.executable, "-c", program, empty_database_url]) for _ in range(3)]
    ended = [process.wait(timeout=60) for process in started]

    assert ended == [0, 0, 0]
    writer = Writer(StoreSettings(database_url=empty_database_url), cluster="default")
    writer.connect()
    writer.close()


@pytest.mark.parametrize(
    ("found", "advice"),
    [(None, "run `flower migrate`"), ("0000", "run `flower migrate`"), ("9999", "use the build that made it")],
)
def test_another_revision_is_refused_with_what_to_do(database_url: str, found: str | None, advice: str) -> None:
    with psycopg.connect(database_url) as connection:
        if found is None:
            connection.execute("DROP TABLE alembic_version")
        else:
            connection.execute("UPDATE alembic_version SET version_num = %s", (found,))
    writer = Writer(StoreSettings(database_url=database_url), cluster="default")

    with pytest.raises(errors.WrongSchema, match=advice):
        writer.connect()


def test_a_database_of_another_build_is_not_migrated_and_says_so(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(errors.WrongSchema, match=r"9999.*made by another build"):
        flower_migrations.upgrade(database_url)


@pytest.mark.parametrize("tail", [":99999/flower", "/flower?passwd=x", ":port/flower"])
def test_a_url_that_nobody_understands_is_a_setting_s_error(tail: str) -> None:
    with pytest.raises(SettingError, match="database_url") as caught:
        flower_migrations.upgrade(f"postgresql://flower:hunter2@127.0.0.1{tail}")

    assert "hunter2" not in str(caught.value)
