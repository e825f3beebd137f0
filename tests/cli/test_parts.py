"""The parts that run alone: migrate, collector, API; and what each refuses before it starts."""

import json
import signal
import socket
from pathlib import Path
from uuid import uuid4

import pytest
from tests.cli import trees
from tests.cli.celery_events import report_task
from tests.cli.conftest import Run
from tests.waiting import eventually

EMPTY = "flower: the database is empty, this build needs schema "
WITHOUT_DATABASE = "flower: no database is named: give --database-url or FLOWER_DATABASE_URL\n"


def test_migrate_brings_a_database_to_this_build_and_may_be_repeated(flower: Run, empty_database_url: str) -> None:
    first = flower("migrate", FLOWER_DATABASE_URL=empty_database_url)
    second = flower("migrate", FLOWER_DATABASE_URL=empty_database_url)

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "database is at this build's schema" in first.output


@pytest.mark.parametrize(
    "arguments", [("api", "--port", "0"), ("collector", "-b", "redis://h", "--collector-port", "0")]
)
def test_another_schema_is_refused_with_what_to_run(
    flower: Run, empty_database_url: str, arguments: tuple[str, ...]
) -> None:
    result = flower(*arguments, "--log-level", "error", FLOWER_DATABASE_URL=empty_database_url)

    assert result.exit_code == 2
    assert result.output.startswith(EMPTY)
    assert result.output.endswith(": run `flower migrate`\n")


@pytest.mark.parametrize("arguments", [("api",), ("collector", "-b", "redis://h"), ("migrate",)])
def test_without_a_database_a_part_is_refused(flower: Run, arguments: tuple[str, ...]) -> None:
    result = flower(*arguments)

    assert (result.exit_code, result.output) == (2, WITHOUT_DATABASE)


def test_a_collector_without_a_cluster_is_refused(flower: Run, database_url: str) -> None:
    result = flower("collector", FLOWER_DATABASE_URL=database_url)

    assert result.exit_code == 2
    assert result.output.startswith("flower: no Celery cluster is named")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [(("api", "--port"), "port"), (("collector", "-b", "redis://h", "--collector-port"), "collector_port")],
)
def test_a_taken_port_is_refused(flower: Run, database_url: str, arguments: tuple[str, ...], name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        result = flower(*arguments, port, "--log-level", "error", FLOWER_DATABASE_URL=database_url)

    assert result.exit_code == 2
    assert result.output.startswith(f"flower: {name}: `{port}` from --{name.replace('_', '-')}: ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("command", ["up", "collector", "api", "migrate"])
def test_a_database_url_that_is_none_is_refused_in_one_sentence(flower: Run, command: str) -> None:
    ours = {"up": ("-b", "redis://h", "--port", "0"), "collector": ("-b", "redis://h")}.get(command, ())

    result = flower(command, *ours, "--database-url", "postgresql://h:port/d")

    assert result.exit_code == 2
    assert result.output.startswith("flower: database_url: (secret) from --database-url: is not a URL")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize("option", ["unix_socket", "ca_certs"])
def test_up_refuses_what_it_could_not_ask_through(flower: Run, option: str) -> None:
    result = flower("up", "-b", "redis://h", f"--{option.replace('_', '-')}=x", "--certfile=x", "--basic-auth=a:b")

    assert result.exit_code == 2
    assert result.output.startswith(f"flower: {option}: `x` from --{option.replace('_', '-')}: is for `flower api`")


@pytest.mark.slow
def test_a_collector_and_two_apis_show_the_same_tasks(redis_url: str, database_url: str, directory: Path) -> None:
    identity = str(uuid4())
    common = {"FLOWER_DATABASE_URL": database_url, "FLOWER_COLLECTOR_PORT": "0"}
    with (
        trees.running("collector", "-b", redis_url, directory=directory, **common) as collector,
        trees.running("api", directory=directory, **common) as one,
        trees.running("api", directory=directory, **common) as other,
    ):
        eventually(lambda: one.answers() and other.answers(), within=trees.UP_SECONDS)
        eventually(lambda: _seen(redis_url, identity, one))
        shown = [json.loads(api.get(f"/api/task/info/{identity}")[1]) for api in (one, other)]
        for part in (collector, one, other):
            part.send(signal.SIGTERM)
        statuses = [part.wait() for part in (collector, one, other)]

    assert shown[0] == shown[1]
    assert shown[0]["name"] == "shop.pay"
    assert statuses == [0, 0, 0]


def _seen(broker: str, identity: str, api: trees.Tree) -> bool:
    """Send again until it is heard: Redis keeps nothing for a collector that does not listen yet."""
    report_task(broker, identity)
    return identity in api.tasks()
