"""`flower up` as a real process tree: comes up, keeps history, heals, and leaves nobody behind."""

import signal
import socket
import ssl
import sys
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
from tests.cli import trees
from tests.cli.celery_events import report_task
from tests.cli.terminal import Terminal
from tests.collector import proxy
from tests.services import certificates
from tests.waiting import eventually

pytestmark = pytest.mark.slow

MARKER = "s3cret-marker"


def test_it_comes_up_and_a_signal_ends_all_of_it(redis_url: str, directory: Path) -> None:
    with trees.running("up", "-b", redis_url, "--data-dir", "data", directory=directory) as tree:
        tree.until_up()
        processes = tree.processes()
        status, page = tree.get("/c/default/")
        spooling = list((directory / "data" / "spool").glob("*.spool"))

        tree.send(signal.SIGTERM)

        assert tree.wait() == 0
        assert trees.gone(processes)()
        assert (status, "<html" in page) == (200, True)
        assert spooling, "where somebody said where data lies, all of it lies there"
        assert len(processes) > 4  # root, collector, API, PostgreSQL and its own


def test_it_comes_up_by_tls(redis_url: str, directory: Path) -> None:
    files = certificates.made(directory)
    given = (f"--certfile={files.certificate}", f"--keyfile={files.key}")
    with trees.running("up", "-b", redis_url, *given, directory=directory) as tree:
        tree.until_up(scheme="https")
        page = httpx.get(
            f"https://127.0.0.1:{tree.port}/c/default/", verify=ssl.create_default_context(cafile=str(files.authority))
        )
        tree.send(signal.SIGTERM)

        assert (tree.wait(), page.status_code, "<html" in page.text) == (0, 200, True)


def test_the_next_one_finds_the_history(redis_url: str, directory: Path) -> None:
    identity = str(uuid4())
    with trees.running("up", "-b", redis_url, "--data-dir", "data", directory=directory) as first:
        first.until_up()
        report_task(redis_url, identity)
        eventually(lambda: first.tasks() == [identity])
        first.send(signal.SIGINT)
        first.wait()

    with trees.running("up", "-b", redis_url, "--data-dir", "data", directory=directory) as second:
        second.until_up()

        assert second.tasks() == [identity]


def test_it_stops_in_order_when_its_terminal_is_closed(redis_url: str, directory: Path) -> None:
    terminal = Terminal()
    with trees.on_terminal(terminal, "up", "-b", redis_url, "--data-dir", "data", directory=directory) as tree:
        tree.until_up()
        processes = tree.processes()

        terminal.close()

        assert tree.wait() == 0
        assert trees.gone(processes)()
        assert not (directory / "data" / "postgres" / "data" / "postmaster.pid").exists()


def test_it_says_which_broker_it_waits_for_and_where_the_dashboard_is(
    redis_url: str, database_url: str, directory: Path
) -> None:
    line = proxy.to(redis_url)
    line.cut()
    url = line.url(redis_url.replace("redis://", f"redis://:{MARKER}@"))
    with trees.running("up", "-b", url, directory=directory, FLOWER_DATABASE_URL=database_url) as tree:
        eventually(lambda: "trying again; " in tree.output)
        page, _ = tree.get("/c/default/")
        told = tree.output
        line.mend()

        tree.until_up()

    place = line.url(redis_url)
    dashboard = f"http://127.0.0.1:{tree.port}"
    assert f"the broker {place} does not answer yet: trying again; the dashboard is at {dashboard}\n" in told
    assert page == 200
    assert MARKER not in told
    line.close()


def test_a_kill_of_the_root_takes_all_along(redis_url: str, directory: Path) -> None:
    with trees.running("up", "-b", redis_url, "--data-dir", "data", directory=directory) as tree:
        tree.until_up()
        processes = tree.processes()

        tree.send(signal.SIGKILL)
        tree.wait()

        eventually(trees.gone(processes), within=40)


@pytest.mark.parametrize("part", ["collector", "api"])
def test_a_part_that_ends_is_started_again(redis_url: str, database_url: str, directory: Path, part: str) -> None:
    with trees.running("up", "-b", redis_url, directory=directory, FLOWER_DATABASE_URL=database_url) as tree:
        tree.until_up()
        identity = str(uuid4())

        tree.named(part).kill()

        eventually(lambda: "process ended" in tree.output)
        eventually(lambda: part in [child.cmdline()[-1] for child in _living(tree)])
        eventually(lambda: _tasks_after_event(tree, redis_url, identity) == [identity])


def test_without_its_database_it_ends_and_says_so(redis_url: str, directory: Path) -> None:
    with trees.running("up", "-b", redis_url, "--data-dir", "data", directory=directory) as tree:
        tree.until_up()
        processes = tree.processes()
        postgres = next(one for one in processes if "-D" in one.cmdline())

        postgres.kill()

        assert tree.wait() == 1
        assert "flower: PostgreSQL ended by itself: all is stopped, its log says why\n" in tree.output
        eventually(trees.gone(processes))


def test_it_collects_from_rabbitmq(rabbitmq_url: str, database_url: str, directory: Path) -> None:
    identity = str(uuid4())
    with trees.running("up", "-b", rabbitmq_url, directory=directory, FLOWER_DATABASE_URL=database_url) as tree:
        tree.until_up()

        report_task(rabbitmq_url, identity)

        eventually(lambda: tree.tasks() == [identity])


def test_a_named_database_is_used_and_migrated(redis_url: str, empty_database_url: str, directory: Path) -> None:
    with trees.running("up", "-b", redis_url, directory=directory, FLOWER_DATABASE_URL=empty_database_url) as tree:
        tree.until_up()

        assert "starting PostgreSQL" not in tree.output
        assert not (directory / "data").exists()
        assert tree.tasks() == []


def test_a_second_one_on_the_same_data_is_refused(redis_url: str, directory: Path) -> None:
    arguments = ("up", "-b", redis_url, "--data-dir", "data")
    with trees.running(*arguments, directory=directory) as first:
        first.until_up()

        with trees.running(*arguments, directory=directory) as second:
            status = second.wait()

        assert status == 2
        assert "is in use by process" in second.output
        assert first.get("/healthz")[0] == 200


def test_a_taken_port_is_refused_in_one_sentence(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        with trees.running("up", "-b", "redis://h", "--port", port, directory=directory) as tree:
            status = tree.wait()

    assert status == 2
    assert tree.output == f"flower: port: `{port}` from --port: is taken by another program on 127.0.0.1\n"


def test_without_a_cluster_it_is_refused(directory: Path) -> None:
    with trees.running("up", directory=directory) as tree:
        status = tree.wait()

    assert status == 2
    assert tree.output.startswith("flower: no Celery cluster is named: give --broker")


def test_no_secret_is_printed_or_stands_in_the_process_list(redis_url: str, database_url: str, directory: Path) -> None:
    broker = redis_url.replace("redis://", f"redis://default:{MARKER}@")
    file = directory / "broker"
    file.write_text(broker)

    with trees.running(
        "up", "--log-level", "debug", directory=directory,
        FLOWER_BROKER_FILE=str(file), FLOWER_DATABASE_URL=database_url,
    ) as tree:  # fmt: skip
        eventually(lambda: tree.ended or _mentions_broker(tree), within=trees.UP_SECONDS)
        command_lines = [" ".join(one.cmdline()) for one in tree.processes()]
        tree.send(signal.SIGTERM)
        tree.wait()

    assert MARKER not in tree.output
    assert MARKER not in " ".join(command_lines)
    assert database_url not in " ".join(command_lines)


def test_celery_flower_is_the_same(redis_url: str, database_url: str, directory: Path) -> None:
    (directory / "proj.py").write_text(f"from celery import Celery\n\napp = Celery('proj', broker='{redis_url}')\n")
    program = (sys.executable, "-m", "celery", "-A", "proj", "flower")
    identity = str(uuid4())

    with trees.running(program=program, directory=directory, FLOWER_DATABASE_URL=database_url) as tree:
        tree.until_up()

        eventually(lambda: _tasks_after_event(tree, redis_url, identity) == [identity])


def _living(tree: trees.Tree) -> list[psutil.Process]:
    return [one for one in tree.processes()[1:] if one.status() != psutil.STATUS_ZOMBIE and one.cmdline()]


def _tasks_after_event(tree: trees.Tree, broker: str, identity: str) -> list[str]:
    """Send again until it is heard: Redis keeps nothing for a collector that is away."""
    report_task(broker, identity)
    try:
        return tree.tasks()
    except (OSError, ValueError):
        return []


def _mentions_broker(tree: trees.Tree) -> bool:
    return "Flower is up" in tree.output or "redis" in tree.output
